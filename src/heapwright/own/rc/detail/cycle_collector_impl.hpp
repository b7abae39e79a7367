// Bodies of cycle_collector.hpp.
#pragma once

namespace heapwright {

template <class Policy, class Home>
template <class T>
detail::NodeKind* BasicCycleCollector<Policy, Home>::count_new_node() noexcept {
    const std::uint32_t number = detail::type_number<T, Policy>();
    typename Home::ListsGuard guard(home_);
    detail::NodeKind* kind = kinds_.find(number);
    if (HEAPWRIGHT_UNLIKELY(kind == nullptr)) {
        kind = kinds_.add(number, &detail::kNodeOps<T, Policy>, &home_);
        if (kind == nullptr) {
            return nullptr;
        }
    }
    ++kind->made;
    return kind;
}

template <class Policy, class Home>
template <class T, class... Args>
Counted<T, Policy> BasicCycleCollector<Policy, Home>::try_make(Args&&... args) {
    static_assert(Traced<T>, "a collector makes types that say what they refer to: give it traced_members or a trace function");
    using Shape = detail::Shape<T, Policy>;
    void* const block = Blocks::try_allocate(Shape::layout());
    if (HEAPWRIGHT_UNLIKELY(block == nullptr)) {
        return {};
    }
    detail::NodeKind* const kind = count_new_node<T>();
    if (HEAPWRIGHT_UNLIKELY(kind == nullptr)) {
        Blocks::deallocate(block, Shape::layout());
        return {};
    }
    std::byte* const place = static_cast<std::byte*>(block) + Shape::offset();
    ::new (static_cast<void*>(&Shape::node(reinterpret_cast<T*>(place)))) detail::NodeHeader{.kind = kind};
    return detail::Handles::construct<T, Policy>(place, false, std::forward<Args>(args)...);
}

template <class Policy, class Home>
Collection BasicCycleCollector<Policy, Home>::collect(std::size_t budget_nodes, Overdraft overdraft) noexcept {
    Collection result;
    if (budget_nodes == 0 || !home_.try_begin()) {
        return result;
    }
    if (budget_nodes == kUnlimited) {
        settle_long_pass(result);
    }
    const std::size_t all_nodes = budget_nodes;
    const std::size_t share = share_of_long_pass(all_nodes);
    budget_nodes -= share;
    if (budget_nodes > 0) {
        run_pass(List::young, {.budget = budget_nodes, .is_young = true}, result);
    }
    const bool has_old = count_of(List::old) > 0 || (budget_nodes == kUnlimited && count_of(List::large) > 0);
    if (has_old && result.visited < budget_nodes && clock_.is_due(made_nodes())) {
        Collection old;
        const detail::PassLimits limits{.budget = budget_nodes - result.visited, .is_young = false};
        run_pass(List::old, limits, old);
        if (budget_nodes == kUnlimited) {
            run_pass(List::large, limits, old);
        }
        clock_.passed(old, made_nodes(), live_nodes(), count_of(List::old) == 0);
        result.visited += old.visited;
        result.freed += old.freed;
        result.was_cut |= old.was_cut;
    }
    if (long_pass_.is_active()) {
        run_long_pass(all_nodes - result.visited, result);
    } else if (budget_nodes != kUnlimited && overdraft == Overdraft::saved && count_of(List::large) > 0 && !kinds_.handles_stay()) {
        run_saved_pass(budget_nodes, result);
    }
    HEAPWRIGHT_AUDIT(*this);  // before the next thread may begin a pass
    home_.end();
    return result;
}

template <class Policy, class Home>
void BasicCycleCollector<Policy, Home>::run_saved_pass(std::size_t budget_nodes, Collection& result) noexcept {
    if (!savings_.save(budget_nodes)) {
        result.was_cut = true;
        return;
    }
    Collection large;
    run_pass(List::large, {.budget = savings_.budget(), .is_young = false}, large);
    savings_.spent(large);
    result.visited += large.visited;
    result.freed += large.freed;
    result.was_cut |= large.was_cut;
}

template <class Policy, class Home>
std::size_t BasicCycleCollector<Policy, Home>::share_of_long_pass(std::size_t budget_nodes) noexcept {
    const bool may_begin = budget_nodes != kUnlimited && !long_pass_.is_active() && kinds_.handles_stay();
    if (may_begin && count_of(List::large) > 0 && long_clock_.is_due(budget_nodes)) {
        long_pass_.begin();
    }
    if (!long_pass_.is_active()) {
        return 0;
    }
    if (!kinds_.handles_stay()) {
        long_pass_.abandon();  // a type that does not promise it was added meanwhile
    }
    is_long_first_ = !is_long_first_;
    return budget_nodes / 2 + (is_long_first_ ? budget_nodes % 2 : 0);
}

template <class Policy, class Home>
void BasicCycleCollector<Policy, Home>::run_long_pass(std::size_t most_steps, Collection& result) noexcept {
    std::size_t steps = 0;
    if (long_pass_.is_looking()) {
        home_.stop_others();
        steps = long_pass_.look(most_steps);
        home_.resume_others();
    }
    result.visited += steps;
    free_of_long_pass(most_steps - steps, result);
    if (long_pass_.is_active()) {
        result.was_cut = true;
    } else {
        long_clock_.passed(long_pass_.gathered(), long_pass_.freed());
    }
}

template <class Policy, class Home>
void BasicCycleCollector<Policy, Home>::free_of_long_pass(std::size_t most_steps, Collection& result) noexcept {
    using Counts = typename Policy::Counts;
    detail::NodeKind* kind = nullptr;
    std::uint64_t destroyed = 0;
    const auto tell = [&] {
        if (kind != nullptr) {
            typename Home::ListsGuard guard(home_);
            kind->gone += destroyed;
            kind->collected += destroyed;
        }
        result.freed += std::exchange(destroyed, 0);
    };
    result.visited += long_pass_.end_garbage(
        most_steps,
        [&](detail::NodeHeader& node) {
            if (node.kind != kind) {
                tell();
                kind = node.kind;
            }
            ++destroyed;
            kind->ops->destroy(node.object<Counts>());
        },
        [](detail::NodeHeader& node) {
            const detail::NodeOps& ops = *node.kind->ops;
            if (node.counts<Counts>().end_object()) {
                Blocks::deallocate(reinterpret_cast<std::byte*>(&node) - ops.lead_bytes, ops.layout);
            }
        });
    tell();
}

template <class Policy, class Home>
void BasicCycleCollector<Policy, Home>::settle_long_pass(Collection& result) noexcept {
    if (long_pass_.is_active()) {
        long_pass_.abandon();
        run_long_pass(kUnlimited, result);
    }
}

template <class Policy, class Home>
Collection BasicCycleCollector<Policy, Home>::collect_all() noexcept {
    Collection result;
    if (!home_.try_begin()) {
        return result;
    }
    settle_long_pass(result);
    // Destructors of one round make candidates for the next.
    for (std::size_t freed_before = SIZE_MAX; freed_before != result.freed && candidates() > 0;) {
        freed_before = result.freed;
        for (const List list : {List::young, List::old, List::large}) {
            run_pass(list, {.budget = kUnlimited, .is_young = false}, result);
        }
    }
    HEAPWRIGHT_AUDIT(*this);  // before the next thread may begin a pass
    home_.end();
    return result;
}

template <class Policy, class Home>
void BasicCycleCollector<Policy, Home>::run_pass(List from, detail::PassLimits limits, Collection& result) noexcept {
    home_.stop_others();
    detail::NodeList& candidates = home_.list(from);
    detail::Pass<Policy> pass(home_, visited_, limits);
    List when_cut = from;
    if (limits.budget == kUnlimited && !pass.gather_all(from)) {
        result.was_cut = true;
        when_cut = List::large;
    }
    while (candidates.size() > 0 && pass.visited() < limits.budget && !result.was_cut) {
        detail::NodeHeader& candidate = *candidates[candidates.size() - 1];
        home_.remove(candidate);
        const bool had_whole_budget = pass.visited() == 0;
        if (!pass.gather_from(candidate)) {
            result.was_cut = true;
            if (had_whole_budget) {
                when_cut = List::large;
            }
            break;
        }
    }
    HEAPWRIGHT_AUDIT(pass);
    const std::uint32_t living = pass.rescue(when_cut);
    pass.condemn_garbage();
    result.was_cut |= candidates.size() > 0 && limits.budget != kUnlimited;
    home_.resume_others();
    result.visited += visited_.size();
    result.freed += visited_.size() - living;
    destroy_garbage(living);
}

template <class Policy, class Home>
void BasicCycleCollector<Policy, Home>::destroy_garbage(std::uint32_t begin) noexcept {
    using Counts = typename Policy::Counts;
    // All of them before the first block goes back: destructors drop handles in blocks of each other.
    for (std::uint32_t place = begin; place < visited_.size(); ++place) {
        detail::NodeHeader& node = *visited_[place];
        node.kind->ops->destroy(node.object<Counts>());
    }
    for (std::uint32_t place = begin; place < visited_.size();) {
        detail::NodeKind* const kind = visited_[place]->kind;
        const detail::NodeOps ops = *kind->ops;
        const std::uint32_t first = place;
        for (; place < visited_.size() && visited_[place]->kind == kind; ++place) {
            detail::NodeHeader& node = *visited_[place];
            if (node.counts<Counts>().end_object()) {
                Blocks::deallocate(reinterpret_cast<std::byte*>(&node) - ops.lead_bytes, ops.layout);
            }
        }
        typename Home::ListsGuard guard(home_);
        kind->gone += place - first;
        kind->collected += place - first;
    }
}

template <class Policy, class Home>
std::size_t BasicCycleCollector<Policy, Home>::candidates() noexcept {
    return count_of(List::young) + count_of(List::old) + count_of(List::large);
}

template <class Policy, class Home>
std::size_t BasicCycleCollector<Policy, Home>::count_of(List list) noexcept {
    typename Home::ListsGuard guard(home_);
    return home_.list(list).size();
}

template <class Policy, class Home>
std::uint64_t BasicCycleCollector<Policy, Home>::live_nodes() noexcept {
    typename Home::ListsGuard guard(home_);
    std::uint64_t live = 0;
    kinds_.for_each([&](const detail::NodeKind& kind) { live += kind.made - kind.gone; });
    return live;
}

template <class Policy, class Home>
std::uint64_t BasicCycleCollector<Policy, Home>::made_nodes() noexcept {
    typename Home::ListsGuard guard(home_);
    std::uint64_t made = 0;
    kinds_.for_each([&](const detail::NodeKind& kind) { made += kind.made; });
    return made;
}

template <class Policy, class Home>
template <class Visit>
void BasicCycleCollector<Policy, Home>::for_each_type(Visit visit) {
    kinds_.for_each([&](const detail::NodeKind& kind) {
        NodeTypeReport report{};
        {
            typename Home::ListsGuard guard(home_);
            report = {.name = kind.ops->name,
                      .made = kind.made,
                      .live = kind.made - kind.gone,
                      .collected = kind.collected,
                      .block_bytes = kind.ops->layout.size};
        }
        visit(report);
    });
}

template <class Policy, class Home>
void BasicCycleCollector<Policy, Home>::refuse_orphans() noexcept {
    const detail::NodeKind* most = nullptr;
    std::uint64_t live = 0;
    kinds_.for_each([&](const detail::NodeKind& kind) {
        live += kind.made - kind.gone;
        most = most == nullptr || kind.made - kind.gone > most->made - most->gone ? &kind : most;
    });
    if (live > 0) {
        detail::refuse_orphans(*most, live);
    }
}

template <class Policy, class Home>
const char* BasicCycleCollector<Policy, Home>::broken_invariant() noexcept {
    typename Home::ListsGuard guard(home_);
    for (const List which : {List::young, List::old, List::large}) {
        const detail::NodeList& nodes = home_.list(which);
        for (std::uint32_t place = 0; place < nodes.size(); ++place) {
            if (nodes[place]->list() != static_cast<std::uint32_t>(which) || nodes[place]->place() != place) {
                return "CC1: a candidate does not know its list and place";
            }
            if (nodes[place]->trial != detail::NodeHeader::kIdle) {
                return "CC2: a candidate is still in a pass";
            }
        }
    }
    return long_pass_.broken_invariant();
}

}  // namespace heapwright
