/* The word of counts as a state machine: strong handles dropped, weak ones upgraded and dropped, the object taken out,
 * looked at for uniqueness, all at once. spin tries every order of the steps; each step is one atomic operation of
 * counts.hpp. Memory orders are not part of this model: ThreadSanitizer looks after those.
 *
 * MUTANT 1: an upgrade looks and then adds, without compare-and-swap.
 * MUTANT 2: is_unique() looks at the two halves one after the other.
 * MUTANT 3: strong handles hold no weak count together: the block goes when the last weak handle goes.
 * MUTANT 4: try_unwrap() drops and puts back instead of dropping only if it is the last.
 */
#ifndef MUTANT
#define MUTANT 0
#endif

byte strong = 2;
byte weak = 3;          /* two weak handles, and one for the strong ones together */
bool destroyed = false;
bool freed = false;
byte readers = 0;       /* threads that use the object */
bool writer = false;    /* a thread that believes to be alone with it */

inline touch_counts() { assert(!freed) }

inline use() {
    atomic { assert(!destroyed && !freed && !writer); readers++ }
    readers--
}

inline free_block() { atomic { assert(!freed && destroyed); freed = true } }

inline end_object() {
    atomic { touch_counts(); assert(!destroyed && readers == 0 && !writer); destroyed = true }
    if
    :: MUTANT == 3 -> free_block()
    :: else ->
        atomic { touch_counts(); alone = (weak == 1) }
        if
        :: alone -> free_block()
        :: else -> drop_weak()
        fi
    fi
}

inline drop_weak() {
    atomic { touch_counts(); weak--; last = (weak == 0) }
    if
    :: last && MUTANT != 3 -> free_block()
    :: else
    fi
}

inline drop_strong() {
    atomic { touch_counts(); strong--; last = (strong == 0) }
    if
    :: last -> end_object()
    :: else
    fi
}

inline upgrade() {
    atomic { touch_counts(); seen = strong }
    do
    :: seen == 0 -> got = false; break
    :: else ->
        if
        :: MUTANT == 1 -> atomic { strong++; got = true }; break
        :: else ->
            atomic {
                touch_counts();
                if
                :: strong == seen -> strong = seen + 1; got = true
                :: else -> seen = strong; got = false
                fi
            }
            if
            :: got -> break
            :: else
            fi
        fi
    od
}

/* Changes the object if nobody else can see it, as get_mut() does, and drops its handle. */
proctype Owner() {
    bool last, alone, unique;
    use();
    if
    :: MUTANT == 2 ->
        atomic { touch_counts(); unique = (strong == 1) }
        atomic { touch_counts(); unique = unique && (weak == 1) }
    :: else -> atomic { touch_counts(); unique = (strong == 1 && weak == 1) }
    fi;
    if
    :: unique -> atomic { assert(readers == 0 && !destroyed); writer = true }; writer = false
    :: else
    fi;
    drop_strong()
}

/* Takes the object out if its handle is the only strong one, as try_unwrap() does; else drops it. */
proctype Taker() {
    bool last, alone;
    if
    :: MUTANT == 4 ->
        atomic { touch_counts(); strong--; last = (strong == 0) }
        if
        :: !last -> atomic { touch_counts(); strong++ }
        :: else
        fi
    :: else -> atomic { touch_counts(); last = (strong == 1); if :: last -> strong = 0 :: else fi }
    fi;
    if
    :: last -> end_object()
    :: else -> use(); drop_strong()
    fi
}

/* Upgrades, uses the object, and drops its handles in either order. */
proctype Watcher() {
    bool last, alone, got;
    byte seen;
    upgrade();
    if
    :: got ->
        use();
        if
        :: drop_weak(); use(); drop_strong()
        :: drop_strong(); drop_weak()
        fi
    :: else -> drop_weak()
    fi
}

init {
    atomic { run Owner(); run Taker(); run Watcher(); run Watcher() }
    (_nr_pr == 1);
    assert(destroyed && freed && strong == 0)
}
