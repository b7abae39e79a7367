// heapwright-replay-worker PLAN RESULT [PACE]: one trial. Without a plan (the word "floor") it measures its own floor.
#include <cstdlib>
#include <cstring>
#include <span>
#include <string_view>

#include <dlfcn.h>

#include "fixed_memory.hpp"
#include "stage.hpp"

#include <heapwright/os/file.hpp>
#include <heapwright/os/report.hpp>
#include <heapwright/os/thread.hpp>
#include <heapwright/study/replay/plan/result.hpp>

namespace heapwright::replay_worker {

namespace plan = study::plan;

namespace {

// Static, because it must not lie on the stack that the replay measures, nor be allocated.
Stage stage;
plan::WorkerResult result;

void name_allocator(char (&room)[256]) noexcept {
    Dl_info info{};
    if (dladdr(dlsym(RTLD_DEFAULT, "malloc"), &info) != 0 && info.dli_fname != nullptr) {
        std::strncpy(room, info.dli_fname, sizeof(room) - 1);
    }
}

// Allocators written in C++ bring libstdc++ into this process, which asks for room for exceptions as it is loaded. A
// recording of a program that has libstdc++ holds that request already; held twice it would also move what comes after.
void give_back_exception_room() noexcept {
    if (const auto release = reinterpret_cast<void (*)()>(dlsym(RTLD_DEFAULT, "_ZN9__gnu_cxx9__freeresEv"))) {
        release();
    }
}

// Some allocators give memory back only when they are called again, so a little goes on while the program idles.
void idle(double seconds) noexcept {
    for (int i = 0; i < 4; ++i) {
        os::sleep_ns(static_cast<std::uint64_t>(seconds * 1e9 / 4));
        for (int n = 0; n < 64; ++n) {
            std::free(std::malloc(64));
        }
    }
}

void write_result(const char* path) noexcept {
    auto file = os::File::create_truncate(path);
    if (!file) {
        give_up("cannot replay: the result cannot be written: ", path);
    }
    const auto head = file->write_all(std::as_bytes(std::span(&result, 1)));
    const auto curve = result.points == 0 ? Result<void>{} : file->write_all(std::as_bytes(std::span(stage.curve(), result.points)));
    if (!head || !curve) {
        give_up("cannot replay: the result cannot be written: ", path);
    }
}

int measure_floor(const char* result_path) noexcept {
    Meter& meter = stage.meter();
    meter.start();
    result.magic = plan::kResultMagic;
    result.start_bytes = meter.resident_bytes();
    name_allocator(result.allocator_file);
    write_result(result_path);
    return 0;
}

int replay(const char* plan_path, const char* result_path, double pace, double idle_s) noexcept {
    give_back_exception_room();
    stage.prepare(plan_path, pace);
    Meter& meter = stage.meter();
    result.magic = plan::kResultMagic;
    result.start_bytes = meter.resident_bytes();
    stage.play();
    result.end_bytes = meter.resident_bytes();
    result.peak_bytes = meter.peak_bytes(stage.highest_seen());
    idle(idle_s);
    result.retained_bytes = meter.resident_bytes();
    stage.player().free_everything();
    idle(idle_s);
    result.freed_bytes = meter.resident_bytes();
    stage.dismiss();
    stage.fill(result);
    result.trim_works = trim_allocator() ? 1 : 0;
    name_allocator(result.allocator_file);
    write_result(result_path);
    return 0;
}

}  // namespace

}  // namespace heapwright::replay_worker

int main(int count, char** words) {
    heapwright::os::report_failures_to_stderr();
    if (count == 3 && std::string_view(words[1]) == "floor") {
        return heapwright::replay_worker::measure_floor(words[2]);
    }
    if (count != 5) {
        heapwright::os::write_stderr_line("heapwright: heapwright-replay-worker is started by 'heapwright replay'; use that");
        return 2;
    }
    return heapwright::replay_worker::replay(words[1], words[2], std::atof(words[3]), std::atof(words[4]));
}
