// How do I run many state machines as coroutines in a fixed budget of memory, and survive when it is not enough?
#include <cstdio>
#include <vector>

#include <heapwright/coroutine.hpp>

namespace {

using heapwright::FrameBudget;
template <class T>
using Task = heapwright::Task<T, heapwright::FramesFrom<FrameBudget>>;

struct Server {
    heapwright::RunLoop loop;
    heapwright::FrameMeter meter{heapwright::new_source};
    FrameBudget frames{meter, 8192};  // all connections together
};
/// A handshake of two turns.
Task<bool> greet(std::allocator_arg_t, FrameBudget&, Server& server, int client) {
    co_await server.loop.next_turn();
    co_await server.loop.next_turn();
    co_return client % 5 != 0;  // every fifth is turned away
}
/// A connection: greet, then three requests, a turn each. Each wait is a state that nobody had to write down.
Task<int> serve(std::allocator_arg_t, FrameBudget& frames, Server& server, int client) {
    const heapwright::Result<bool> greeted = co_await greet(std::allocator_arg, frames, server, client).checked();
    if (!greeted || !*greeted) {
        co_return 0;  // no room for the handshake, or turned away
    }
    int answered = 0;
    for (; answered < 3; ++answered) {
        co_await server.loop.next_turn();
    }
    co_return answered;
}

}  // namespace

int main() {
    Server server;
    std::vector<Task<int>> connections;
    int refused = 0;
    for (int client = 1; client <= 100; ++client) {
        Task<int> connection = serve(std::allocator_arg, server.frames, server, client);
        if (!connection) {
            ++refused;  // over budget: answer "busy" and go on
        } else {
            server.loop.start(connections.emplace_back(std::move(connection)));
        }
    }
    server.loop.run();
    int answered = 0;
    for (Task<int>& connection : connections) {
        answered += connection.result();
    }
    const std::size_t peak_bytes = server.meter.figures().peak_bytes;
    std::printf("%zu served, %d refused, %d answers; %zu bytes of frames at most\n", connections.size(), refused, answered, peak_bytes);
    connections.clear();
    return refused > 0 && answered > 0 && peak_bytes <= 8192 && server.meter.figures().live == 0 ? 0 : 1;
}
