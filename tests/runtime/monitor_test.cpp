#include <heapwright/runtime/monitor.hpp>

#include <atomic>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <doctest/doctest.h>

#include <heapwright/runtime/detail/listener.hpp>
#include <heapwright/runtime/detail/work.hpp>

namespace heapwright::test {

namespace {

namespace fs = std::filesystem;

/// A folder of the test's own.
class Folder {
public:
    Folder() {
        char name[] = "/tmp/heapwright-monitor-XXXXXX";
        path_ = mkdtemp(name);
    }
    Folder(const Folder&) = delete;
    Folder& operator=(const Folder&) = delete;
    ~Folder() { fs::remove_all(path_); }
    [[nodiscard]] std::string operator/(const std::string& name) const { return path_ + "/" + name; }

private:
    std::string path_;
};

std::string content_of(const std::string& path) {
    std::ifstream file(path);
    return {std::istreambuf_iterator<char>(file), {}};
}

std::string exchange(int socket, const std::string& request) {
    if (!request.empty() && send(socket, request.data(), request.size(), MSG_NOSIGNAL) < 0) {
        return "nothing sent";
    }
    std::string text;
    char room[4096];
    for (ssize_t got = 0; (got = recv(socket, room, sizeof(room), 0)) > 0;) {
        text.append(room, static_cast<std::size_t>(got));
    }
    close(socket);
    return text;
}

int connect_to(std::uint16_t port) {
    const int client = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    return connect(client, reinterpret_cast<sockaddr*>(&address), sizeof(address)) == 0 ? client : -1;
}

int connect_to(const std::string& path) {
    const int client = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::strncpy(address.sun_path, path.c_str(), sizeof(address.sun_path) - 1);
    return connect(client, reinterpret_cast<sockaddr*>(&address), sizeof(address)) == 0 ? client : -1;
}

ConfigText text(const std::string& letters) {
    ConfigText made;
    CHECK(made.append(letters));
    return made;
}

/// A port that nobody listens to now.
std::uint16_t free_port() {
    runtime::Listener listener;
    REQUIRE(listener.open_port(0));
    return listener.port();
}

/// A heap that the test makes up.
std::atomic<std::uint64_t> made_up_vacant{0};
std::atomic<int> made_up_trims{0};
HeapStatistics made_up_statistics() noexcept {
    HeapStatistics figures;
    figures.allocated_bytes = std::uint64_t{10} << 20;
    figures.active_bytes = figures.allocated_bytes + made_up_vacant.load();
    return figures;
}
std::size_t made_up_trim() noexcept {
    ++made_up_trims;
    return made_up_vacant.exchange(0);
}
std::size_t useless_trim() noexcept {
    ++made_up_trims;
    return 0;
}

MonitorOptions made_up_options() {
    MonitorOptions options;
    options.statistics = made_up_statistics;
    options.give_back = made_up_trim;
    options.fragmentation.analysis_interval_ns = 86'400'000'000'000;
    made_up_trims = 0;
    made_up_vacant = 0;
    return options;
}

}  // namespace

TEST_CASE("it measures when it starts, writes when it stops, and can be started again") {
    const Folder folder;
    MonitorOptions options;
    options.exports.metrics_file = text(folder / "m.prom");
    options.exports.json_file = text(folder / "m-%p.json");
    Monitor monitor;
    for (int round = 0; round < 3; ++round) {
        REQUIRE(monitor.start(options));
        monitor.stop();
        CHECK(monitor.broken_invariant() == nullptr);
        CHECK(monitor.figures().measurements >= 2);
        CHECK(monitor.figures().latest.resident_bytes > 0);
    }
    CHECK(content_of(folder / "m.prom").ends_with("# EOF\n"));
    CHECK(content_of(folder / ("m-" + std::to_string(getpid()) + ".json")).starts_with("{\"time_ms\":"));
    CHECK_FALSE(fs::exists(folder / "m.prom.new"));
}

TEST_CASE("it answers on a port and on a unix socket, what it has and what it has not") {
    const Folder folder;
    MonitorOptions options = made_up_options();
    options.exports.http_port = free_port();
    options.exports.socket = text(folder / "s");
    options.append_metrics = [](TextBuffer& lines) noexcept { lines.append("added 1\n"); };
    Monitor monitor;
    REQUIRE(monitor.start(options));
    while (monitor.figures().measurements == 0) {  // then its places are open
        os::yield_thread();
    }
    const auto get = [&](const std::string& request) {
        return exchange(connect_to(static_cast<std::uint16_t>(options.exports.http_port)), request);
    };
    CHECK(monitor.port() == options.exports.http_port);
    const std::string page = get("GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n");
    CHECK(page.starts_with("HTTP/1.1 200 OK\r\nContent-Type: application/openmetrics-text; version=1.0.0; charset=utf-8\r\n"));
    CHECK(page.ends_with("added 1\n# EOF\n"));
    CHECK(get("GET /metrics?x=1 HTTP/1.0\r\n\r\n").ends_with("# EOF\n"));
    CHECK(get("HEAD /metrics HTTP/1.1\r\n\r\n").ends_with("Connection: close\r\n\r\n"));
    CHECK(get("GET /metrics.json HTTP/1.1\r\n\r\n").find("application/json") != std::string::npos);
    CHECK(get("GET / HTTP/1.1\r\n\r\n").starts_with("HTTP/1.1 404"));
    CHECK(get("POST /metrics HTTP/1.1\r\n\r\n").starts_with("HTTP/1.1 405 Method Not Allowed\r\nAllow: GET, HEAD\r\n"));
    CHECK(get("nonsense\r\n\r\n").starts_with("HTTP/1.1 400"));
    CHECK(get(std::string(5000, 'x')).find("200 OK") == std::string::npos);
    CHECK(exchange(connect_to(folder / "s"), "GET /metrics HTTP/1.1\r\n\r\n").ends_with("# EOF\n"));
    CHECK(monitor.figures().requests >= 9);
    monitor.stop();
    CHECK(connect_to(static_cast<std::uint16_t>(options.exports.http_port)) == -1);
    CHECK_FALSE(fs::exists(folder / "s"));
    CHECK(monitor.port() == 0);
}

TEST_CASE("a place that is taken, or cannot be written, stops neither the monitor nor its other places") {
    const Folder folder;
    runtime::Listener other;
    REQUIRE(other.open_port(0));
    MonitorOptions options = made_up_options();
    options.exports.http_port = other.port();
    options.exports.socket = text(folder / "no/folder");
    options.exports.metrics_file = text(folder / "no/folder");
    options.exports.json_file = text(folder / "m.json");
    Monitor monitor;
    REQUIRE(monitor.start(options));
    monitor.stop();
    CHECK(monitor.figures().failed_exports == monitor.figures().measurements);
    CHECK(fs::exists(folder / "m.json"));
}

TEST_CASE("the socket file of a process that is gone is replaced, one that lives or is no socket is not") {
    const Folder folder;
    const std::string path = folder / "s";
    runtime::Listener first;
    REQUIRE(first.open_path(path.c_str()));
    runtime::Listener second;
    const auto taken = second.open_path(path.c_str());
    REQUIRE_FALSE(taken);
    CHECK(taken.error().kind == Errc::limit_reached);
    first = runtime::Listener();
    CHECK(fs::exists(path));
    CHECK(second.open_path(path.c_str()));
    std::ofstream(folder / "file") << "kept";
    runtime::Listener third;
    CHECK_FALSE(third.open_path((folder / "file").c_str()));
    CHECK(content_of(folder / "file") == "kept");
    CHECK(third.open_path(std::string(200, 'x').c_str()).error().kind == Errc::overflow);
}

TEST_CASE("above the threshold memory is given back, below it and without the wish it is not") {
    MonitorOptions options = made_up_options();
    options.fragmentation.enable_auto_defragmentation = true;
    options.fragmentation.defragmentation_threshold = {500'000};
    Monitor monitor;
    made_up_vacant = std::uint64_t{9} << 20;  // less than half of 19 MiB
    monitor.look_now(options);
    CHECK(made_up_trims == 0);
    CHECK(monitor.figures().exceeded == 0);
    made_up_vacant = std::uint64_t{11} << 20;
    monitor.look_now(options);
    CHECK(made_up_trims == 1);
    CHECK(monitor.figures().defragmentations == 1);
    CHECK(monitor.figures().given_back_bytes == std::uint64_t{11} << 20);
    options.fragmentation.enable_auto_defragmentation = false;
    made_up_vacant = std::uint64_t{11} << 20;
    monitor.look_now(options);
    CHECK(made_up_trims == 1);
    CHECK(monitor.figures().exceeded == 2);
    CHECK(monitor.broken_invariant() == nullptr);
}

TEST_CASE("what did not help is done again only when more is vacant") {
    MonitorOptions options = made_up_options();
    options.fragmentation.enable_auto_defragmentation = true;
    options.give_back = useless_trim;
    Monitor monitor;
    made_up_vacant = std::uint64_t{20} << 20;
    for (int round = 0; round < 5; ++round) {
        monitor.look_now(options);
    }
    CHECK(made_up_trims == 1);
    made_up_vacant = std::uint64_t{22} << 20;
    monitor.look_now(options);
    CHECK(made_up_trims == 2);
}

TEST_CASE("duties tick at each look, compact above the threshold, and are left alone once they are removed") {
    struct Counts {
        int ticks = 0;
        int compactions = 0;
    } counts;
    const MonitorDuty duty{
        .context = &counts,
        .tick = [](void* context) noexcept { ++static_cast<Counts*>(context)->ticks; },
        .compact = [](void* context) noexcept -> std::uint64_t { return ++static_cast<Counts*>(context)->compactions, 100; }};
    MonitorOptions options = made_up_options();
    options.fragmentation.enable_auto_defragmentation = true;
    Monitor monitor;
    REQUIRE(monitor.add_duty(duty));
    monitor.look_now(options);
    CHECK(counts.ticks == 1);
    CHECK(counts.compactions == 0);
    made_up_vacant = std::uint64_t{20} << 20;
    monitor.look_now(options);
    CHECK(counts.compactions == 1);
    CHECK(monitor.figures().given_back_bytes == (std::uint64_t{20} << 20) + 100);
    monitor.remove_duty(&counts);
    monitor.look_now(options);
    CHECK(counts.ticks == 2);
    for (std::size_t i = 0; i < Monitor::kDutiesMax; ++i) {
        REQUIRE(monitor.add_duty(duty));
    }
    CHECK(monitor.add_duty(duty).error().kind == Errc::limit_reached);
}

TEST_CASE("the program's descriptors and the monitor's are not the same") {
    const Folder folder;
    MonitorOptions options = made_up_options();
    options.exports.socket = text(folder / "s");
    int pipe_ends[2];
    REQUIRE(pipe(pipe_ends) == 0);
    const auto open_now = [] { return std::distance(fs::directory_iterator("/proc/self/fd"), fs::directory_iterator()); };
    const auto before = open_now();
    Monitor monitor;
    REQUIRE(monitor.start(options));
    while (monitor.figures().measurements == 0) {
        os::yield_thread();
    }
    CHECK(open_now() == before);
    close(pipe_ends[1]);
    char letter = 0;
    CHECK(read(pipe_ends[0], &letter, 1) == 0);  // the monitor holds no other end
    close(pipe_ends[0]);
    monitor.stop();
}

// A sanitizer does not want threads to be started in a child of a process with threads.
#if !HEAPWRIGHT_UNDER_TSAN && !HEAPWRIGHT_UNDER_ASAN
TEST_CASE("a child of fork has no monitor unless it asks, and may end without harm") {
    const Folder folder;
    for (const bool asks : {false, true}) {
        MonitorOptions options = made_up_options();
        options.exports.json_file = text(folder / "%p.json");
        options.exports.metrics_file = text(folder / "shared.prom");
        options.exports.in_children = asks;
        Monitor monitor;
        REQUIRE(monitor.start(options));
        const pid_t child = fork();
        if (child == 0) {
            monitor.after_fork_in_child();
            const bool runs = monitor.is_running();
            monitor.stop();
            _exit(runs == asks ? 0 : 1);
        }
        int status = -1;
        waitpid(child, &status, 0);
        CHECK(status == 0);
        CHECK(fs::exists(folder / (std::to_string(child) + ".json")) == asks);
        const pid_t careless = fork();
        if (careless == 0) {
            monitor.stop();  // as its destructor does
            _exit(0);
        }
        waitpid(careless, &status, 0);
        CHECK(status == 0);
        monitor.stop();
    }
}
#endif

TEST_CASE("a monitor is wanted by whoever names a place or asks to measure, in the program that is named") {
    MemoryConfig config;
    CHECK_FALSE(wants_monitor(config));
    config.fragmentation.monitor_enabled = true;
    CHECK(wants_monitor(config));
    config.fragmentation.monitor_enabled = false;
    config.monitor.http_port = 1;
    CHECK(wants_monitor(config));
    config.monitor.program = text("redis-server");
    CHECK_FALSE(wants_monitor(config));
    config.monitor.program = text("heapwright_runtime_test");
    CHECK(wants_monitor(config));
    config.fragmentation.defragmentation_threshold = {1};
    CHECK(monitor_options(config).fragmentation == config.fragmentation);
    CHECK(monitor_options(config).exports == config.monitor);
}

}  // namespace heapwright::test
