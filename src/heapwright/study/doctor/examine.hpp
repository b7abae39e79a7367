// Explains the RSS of a running process that was not prepared for it, and does not notice it.
#pragma once

#include <heapwright/base/error.hpp>
#include <heapwright/study/doctor/examination.hpp>
#include <heapwright/study/doctor/process_facts.hpp>

namespace heapwright::study {

/// Says of each resident byte of the process what it is for.
///
/// The process is neither stopped nor traced, and nothing in it changes; what it does meanwhile is seen in part, and what
/// made no sense for that reason is counted as uncertain.
///
/// Fails: with a doctor::Refusal in Error::detail.
/// Cost:  the process's page tables and its malloc's records are read once; memory for 1/1000 of its heap.
[[nodiscard]] Result<Examination> examine(int pid);

}  // namespace heapwright::study
