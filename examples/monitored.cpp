// How do I let Prometheus see my program's memory? With a monitor; it also gives memory back when too much is vacant.
#include <cstdio>

#include <unistd.h>

#include <heapwright/monitor.hpp>

int main() {
    char path[] = "/tmp/heapwright-example-XXXXXX";
    if (const int made = mkstemp(path); made < 0 || close(made) != 0) {
        return 1;
    }
    heapwright::MonitorOptions options;
    options.fragmentation.analysis_interval_ns = 1'000'000'000;
    options.fragmentation.enable_auto_defragmentation = true;
    if (!options.exports.metrics_file.append(path)) {  // or exports.http_port = 9464, for a scrape of 127.0.0.1:9464/metrics
        return 1;
    }

    heapwright::Monitor monitor;
    if (!monitor.start(options)) {
        std::fputs("no thread for the monitor\n", stderr);
        return 1;
    }
    // Here the program does its work.
    monitor.stop();  // measures and writes once more

    const heapwright::MonitorFigures figures = monitor.figures();
    std::printf("%llu bytes in memory\n", static_cast<unsigned long long>(figures.latest.resident_bytes));

    char begin[7] = {};
    std::FILE* const file = std::fopen(path, "r");
    const bool is_page = file != nullptr && std::fread(begin, 1, 6, file) == 6 && begin[0] == '#';
    if (file != nullptr) {
        std::fclose(file);
    }
    unlink(path);
    return is_page && figures.measurements >= 2 && figures.latest.resident_bytes > 0 ? 0 : 1;
}
