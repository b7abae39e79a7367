// Measures rows of contenders in turn, and prints one JSON line for each: {"group", "row", "who", "ns"}, the median.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <string>
#include <utility>
#include <vector>

#include <bench/alloc/harness.hpp>

namespace bench {

class Rows {
public:
    void add(std::string group, std::string row, std::string who, double operations, std::function<void()> run) {
        rows_.push_back({std::move(group), std::move(row), std::move(who), operations, std::move(run), {}});
    }

    /// Arguments of the program: [rounds] [only rows whose group, row or who holds this] [repetitions]. With repetitions nothing is
    /// timed: each row runs so many times, for a count of instructions.
    int start(int count, char** arguments) {
        const int rounds = count > 1 ? std::atoi(arguments[1]) : 9;
        const std::string only = count > 2 ? arguments[2] : "";
        const int repetitions = count > 3 ? std::atoi(arguments[3]) : 0;
        std::erase_if(rows_, [&](const Row& row) { return (row.group + "/" + row.row + "/" + row.who).find(only) == std::string::npos; });
        for (int repetition = 0; repetition < repetitions; ++repetition) {
            for (const Row& row : rows_) {
                row.run();
            }
        }
        for (int round = -1; round < rounds && repetitions == 0; ++round) {  // round -1 warms up
            for (Row& row : rows_) {
                const double begin = thread_cpu_ns();
                row.run();
                const double ns = (thread_cpu_ns() - begin) / row.operations;
                if (round >= 0) {
                    row.ns.push_back(ns);
                }
            }
        }
        for (Row& row : rows_) {
            if (!row.ns.empty()) {
                std::sort(row.ns.begin(), row.ns.end());
                std::printf("{\"group\": \"%s\", \"row\": \"%s\", \"who\": \"%s\", \"ns\": %.4f}\n", row.group.c_str(), row.row.c_str(),
                            row.who.c_str(), row.ns[row.ns.size() / 2]);
            }
        }
        return rows_.empty() ? 1 : 0;
    }

private:
    struct Row {
        std::string group;
        std::string row;
        std::string who;
        double operations;
        std::function<void()> run;
        std::vector<double> ns;
    };
    std::vector<Row> rows_;
};

}  // namespace bench
