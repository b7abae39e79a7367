// A server of two threads: sessions of many objects, made and ended by either; nine of ten expire, then requests are of another mix.
#include <pthread.h>

#include <bench/defrag/defrag.hpp>

namespace {

constexpr std::size_t kObjects = 24;  // of a session

struct Part {
    defrag::Object* first;
    std::size_t sessions;
    std::uint64_t seed;
    bool second_mix;
};

/// Makes every session of a part, replacing some at once, as requests do.
void* serve(void* argument) {
    const Part& part = *static_cast<const Part*>(argument);
    defrag::Random random(part.seed);
    auto stamp = static_cast<std::uint32_t>(part.seed << 24U);
    for (std::size_t session = 0; session < part.sessions; ++session) {
        for (std::size_t i = 0; i < kObjects; ++i) {
            defrag::Object& object = part.first[session * kObjects + i];
            if (!object.is_live()) {
                object.make(part.second_mix ? random.size_between(96, 768) : random.size_between(32, 512), ++stamp);
            }
        }
        const std::size_t earlier = random.below(session + 1);
        for (std::size_t i = 0; i < kObjects; i += 3) {
            defrag::Object& object = part.first[earlier * kObjects + i];
            object.end();
            object.make(part.second_mix ? random.size_between(96, 768) : random.size_between(32, 512), ++stamp);
        }
    }
    return nullptr;
}

void* expire(void* argument) {
    const Part& part = *static_cast<const Part*>(argument);
    defrag::Random random(part.seed);
    for (std::size_t session = 0; session < part.sessions; ++session) {
        if (random.below(10) != 0) {
            defrag::end_all(part.first + session * kObjects, part.first + (session + 1) * kObjects);
        }
    }
    return nullptr;
}

/// Two threads, each with its part; then they are gone, as the workers of a pool would sleep.
void both(void* (*work)(void*), Part& one, Part& other) {
    pthread_t threads[2];
    Part* const parts[2] = {&one, &other};
    for (unsigned i = 0; i < 2; ++i) {
        if (::pthread_create(&threads[i], nullptr, work, parts[i]) != 0) {
            defrag::fail("no second thread");
        }
    }
    for (pthread_t thread : threads) {
        ::pthread_join(thread, nullptr);
    }
}

}  // namespace

int main(int count, char** words) {
    defrag::Run run(count, words);
    const std::size_t sessions = run.of(24'000);
    defrag::Table<defrag::Object> objects(2 * sessions * kObjects);
    run.begin();
    Part one{.first = objects.begin(), .sessions = sessions, .seed = 1, .second_mix = false};
    Part other{.first = objects.begin() + sessions * kObjects, .sessions = sessions, .seed = 2, .second_mix = false};
    both(serve, one, other);
    run.stage("served", objects.begin(), objects.end());
    // Each ends what the other made.
    std::swap(one.seed, other.seed);
    std::swap(one.first, other.first);
    both(expire, one, other);
    run.stage("expired", objects.begin(), objects.end());
    one.second_mix = other.second_mix = true;
    one.seed = 3;
    other.seed = 4;
    both(serve, one, other);
    run.stage("other_mix", objects.begin(), objects.end());
    defrag::end_all(objects.begin(), objects.end());
    run.freed();
}
