#include "status.hpp"

#include <cstdio>
#include <cstring>

namespace heapwright::cli {

int complain(Status status, const std::string& sentence) {
    remark(sentence);
    return static_cast<int>(status);
}

void remark(const std::string& sentence) {
    std::fflush(stdout);
    std::fprintf(stderr, "heapwright: %s\n", sentence.c_str());
}

namespace {

std::string fact_and_remedy(const Error& error, const std::string& path) {
    const std::string number = std::to_string(error.number);
    switch (error.kind) {
        case Errc::not_found:
            return "there is no such file; check the name, or make one with 'heapwright record -o " + path + " -- PROGRAM'";
        case Errc::permission_denied: return "permission denied; choose a place that you may use, or change its permissions";
        case Errc::disk_full: return "the disk is full; free some space or name another place";
        case Errc::damaged_data:
            return "it is not a trace (" + number + " bytes of something else); name a file that 'heapwright record' wrote";
        case Errc::unsupported_version:
            return "it was written by a newer heapwright (format version " + number + "); read it with that version or record again";
        case Errc::out_of_memory: return "no memory for " + number + " bytes; close other programs or raise the limit";
        case Errc::limit_reached: return "a limit of " + number + " was reached; raise it or take a smaller part";
        case Errc::timed_out: return "it did not finish within " + number + " seconds; give it longer";
        default: break;
    }
    if (error.system_errno != 0) {
        return std::string{std::strerror(error.system_errno)} + " (error " + std::to_string(error.system_errno) +
               "); mend that and try again";
    }
    return std::string{name_of(error.kind)} + " (" + number + ")";
}

}  // namespace

std::string sentence_for(const Error& error, const std::string& purpose, const std::string& path) {
    return "cannot " + purpose + " '" + path + "': " + fact_and_remedy(error, path);
}

Status status_for(const Error& error) {
    switch (error.kind) {
        case Errc::out_of_memory:
        case Errc::child_failed:
        case Errc::overflow: return Status::our_fault;
        default: return Status::usage;
    }
}

}  // namespace heapwright::cli
