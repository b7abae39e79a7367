// How do I allocate for one frame of a game, look one frame back, and never ask the system for memory in the loop?
#include <cmath>
#include <cstdio>
#include <span>

#include <heapwright/arena.hpp>

namespace {

struct Particle {
    float x;
    float speed;
};

/// This frame's particles from last frame's: those that left the screen are simply not copied.
std::span<Particle> simulate(heapwright::Arena& now, std::span<const Particle> before) {
    heapwright::GrowingArray<Particle> next{now};
    for (const Particle& particle : before) {
        const float x = particle.x + particle.speed;
        if (x < 100.0F) {
            next.emplace_back(x, particle.speed);
        }
    }
    for (int born = 0; born < 20; ++born) {
        next.emplace_back(0.0F, 1.0F + static_cast<float>(born) / 20.0F);
    }
    return next.release();
}

}  // namespace

int main() {
    heapwright::FrameArena frames{heapwright::os::kPages};
    std::span<Particle> particles;
    std::size_t owned_when_warm = 0;
    for (int frame = 0; frame < 1000; ++frame) {
        frames.next_frame();  // what was made two frames ago ends here
        particles = simulate(frames.now(), particles);
        if (frame == 500) {
            owned_when_warm = frames.now().stats().owned_bytes;
        }
    }
    std::printf("%zu particles, %zu bytes a frame, no chunk taken since frame 500\n", particles.size(), frames.now().stats().used_bytes);
    return frames.now().stats().owned_bytes == owned_when_warm && !particles.empty() ? 0 : 1;
}
