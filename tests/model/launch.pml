/* A launch: parent (covey-shim or covey-runtime), launcher, newborn (init), spawner, and a thief.
 *
 * Two channels. L is the launcher's, N the newborn's. Each packet has the sender as the kernel says it
 * (SCM_CREDENTIALS) and, with a word that carries a descriptor, the process that it is of.
 * The thief is in the pod. From the moment the newborn is in sight it may copy the newborn's descriptors
 * (pidfd_getfd), say anything that can be said on them, as itself, eat and write the gate's byte, stop and
 * kill the newborn. It has a budget of such moves, so each run has an end, and "is answered" needs no
 * fairness: a run that stands still unanswered is a hang.
 * Mutants (-D): see check.py.
 */
#ifndef BUDGET
#define BUDGET 2
#endif

#define NOBODY 0
#define PARENT 1
#define LAUNCHER 2
#define NEWBORN 3
#define THIEF 4
#define SPAWNER 5
#define BIT(who) (1 << (who))

mtype = { Prepared, SpawnerIs, NeighboursDue, HooksDue, Dropped, Failed, Alive, Ready, Terminal, Born, Empty, Go };
mtype = { pod, alone, nested, exec };                               /* whose launch */
mtype = { launching, failing, failed, created, starting, running }; /* the parent's machine */
mtype = { none, alive, zombie, reaped };                            /* a process's life */
mtype = { unasked, asked, told_ok, told_failed };                   /* a client's call */

chan L = [2] of { mtype, byte, byte };
chan N = [2] of { mtype, byte, byte };
chan back = [1] of { mtype };  /* parent to whoever reads at the other end of L */
chan back_n = [1] of { mtype }; /* parent to whoever reads at the other end of N */
chan inner = [1] of { mtype }; /* newborn to launcher, and back: in nested */
chan inner_go = [1] of { mtype };

mtype mode, state = launching;
mtype life[6] = none;
bool restricted;
byte l_held, n_held, gate_held;  /* who has the descriptors */
bool in_sight, gate_byte, at_gate, executed, stopped, privileged, still;
bool got_prepared, got_spawner, got_due, got_hooks, got_dropped, got_terminal, got_ready, lost, told;
byte main = NOBODY, spawner = NOBODY, host_descriptor_to = NOBODY;
mtype create = asked, start = unasked;
bool n_ended, launcher_ended;
hidden mtype word; /* of the packet in hand */
hidden byte who, fdof;
hidden byte believed;
bool parent_gone, left_at_answer, lie_at_start;

/* Whoever ends lets go of everything. */
inline ends(who) {
    d_step {
    life[who] = zombie;
    l_held = l_held & ~BIT(who);
    n_held = n_held & ~BIT(who);
    gate_held = gate_held & ~BIT(who)
    }
}

proctype Launcher() provided (life[LAUNCHER] == alive) {
    atomic {
        if
        :: restricted -> life[SPAWNER] = alive; L!SpawnerIs, LAUNCHER, SPAWNER
        :: else
        fi;
        if
        :: L!Failed, LAUNCHER, 0; ends(LAUNCHER); goto over
        :: L!Prepared, LAUNCHER, 0
        fi
    };
    if
    :: mode == nested ->
        L!NeighboursDue, LAUNCHER, 0;
        back?Go;
        /* the process between: clones, and has ended before Dropped is said */
        atomic {
            life[NEWBORN] = alive; in_sight = true; privileged = true;
            n_held = n_held | BIT(NEWBORN); gate_held = gate_held | BIT(NEWBORN);
#ifdef L_KEPT
            l_held = l_held | BIT(NEWBORN);
#endif
            run Newborn()
        };
        if
        :: inner?Dropped -> L!Dropped, LAUNCHER, 0; inner_go!Go
        :: life[NEWBORN] != alive && empty(inner) -> L!Failed, LAUNCHER, 0
        fi
    :: mode == alone ->
        atomic {
            life[NEWBORN] = alive;
            n_held = n_held | BIT(NEWBORN); gate_held = gate_held | BIT(NEWBORN);
            l_held = l_held & ~BIT(LAUNCHER); /* init makes the world, in nobody's sight, and speaks on N */
            run Newborn()
        }
    :: else ->
#ifndef L_KEPT
        l_held = l_held & ~BIT(LAUNCHER);
#endif
        atomic {
            life[NEWBORN] = alive; in_sight = true;
            n_held = n_held | BIT(NEWBORN);
            if
            :: mode != exec -> gate_held = gate_held | BIT(NEWBORN)
            :: else
            fi;
#ifdef L_KEPT
            l_held = l_held | BIT(NEWBORN);
#endif
            run Newborn()
        }
#ifdef BORN_BELIEVED
        N!Born, LAUNCHER, NEWBORN
#endif
    fi;
    ends(LAUNCHER);
over: skip
}

proctype Newborn() provided (life[NEWBORN] == alive && !stopped) {
    N!Alive, NEWBORN, 0;
    if
    :: mode == alone ->
        N!HooksDue, NEWBORN, 0;
        back_n?Go;
        N!Terminal, NEWBORN, 0
    :: mode == nested ->
        atomic { privileged = false; inner!Dropped };
        if
        :: inner_go?Go
        :: life[LAUNCHER] != alive && empty(inner_go) -> atomic { ends(NEWBORN) }; goto over
        fi
    :: else
    fi;
    if
    :: mode != exec -> N!Ready, NEWBORN, 0; at_gate = true; atomic { gate_byte -> gate_byte = false; at_gate = false }
    :: else
    fi;
    if
    :: atomic { N!Failed, NEWBORN, 0; ends(NEWBORN) }; goto over
    :: atomic {
           executed = true;
           n_held = n_held & ~BIT(NEWBORN); gate_held = gate_held & ~BIT(NEWBORN);
           l_held = l_held & ~BIT(NEWBORN)
       }
    fi;
    if
    :: atomic { ends(NEWBORN) }
    :: skip
    fi;
over: skip
}

/* What is failing or has failed hears and believes nothing any more: then the thief rests.
 * While the neighbours stand still it does, too (freeze.pml). */
#define ACTIVE (state != failing && state != failed && !parent_gone && !still)

/* Anything that can be said, with any descriptor that it has or can have: its own, or the parent's by
 * SO_PEERPIDFD of the socket's other end. */
inline lies(channel) {
    if
    :: channel!Alive, THIEF, 0
    :: channel!Ready, THIEF, 0
    :: channel!Failed, THIEF, 0
    :: channel!Empty, THIEF, 0
    :: channel!SpawnerIs, THIEF, THIEF
    :: channel!Born, THIEF, PARENT
    fi
}

active proctype Thief() {
    byte moves = BUDGET;
    atomic { in_sight ->
        if
        :: n_held & BIT(NEWBORN) -> n_held = n_held | BIT(THIEF)
        :: true
        fi;
        if
        :: l_held & BIT(NEWBORN) -> l_held = l_held | BIT(THIEF)
        :: true
        fi;
        if
        :: gate_held & BIT(NEWBORN) -> gate_held = gate_held | BIT(THIEF)
        :: true
        fi
    };
    do
    :: atomic { moves > 0 && ACTIVE && (n_held & BIT(THIEF)) && nfull(N) -> moves--; lies(N) }
    :: atomic { moves > 0 && ACTIVE && (l_held & BIT(THIEF)) && nfull(L) -> moves--; lies(L) }
    :: atomic { moves > 0 && ACTIVE && (l_held & BIT(THIEF)) && nempty(back) -> moves--; back?Go }
    :: atomic { moves > 0 && ACTIVE && (gate_held & BIT(THIEF)) -> moves--; gate_byte = !gate_byte }
    :: atomic { moves > 0 && ACTIVE && life[NEWBORN] == alive && !executed && !stopped -> moves--; stopped = true }
    :: atomic { moves > 0 && ACTIVE && life[NEWBORN] == alive -> moves--; ends(NEWBORN) }
    :: atomic { n_held = n_held & ~BIT(THIEF); l_held = l_held & ~BIT(THIEF); gate_held = gate_held & ~BIT(THIEF) } ->
        break
    :: break
    od
}

/* The kernel, out of memory: it takes the launcher (the newborn is the thief's to kill). */
active proctype Oom() {
    atomic {
        if
        :: life[LAUNCHER] == alive && ACTIVE -> ends(LAUNCHER)
        :: state != launching
        fi
    }
}

#define LEFT (life[LAUNCHER] == alive || life[LAUNCHER] == zombie || life[NEWBORN] == alive || life[NEWBORN] == zombie)

inline fail() {
    if
    :: state == launching || state == created || state == starting || state == running -> state = failing
    :: else
    fi
}

inline unexpected() {
#ifdef ABORTS
    parent_gone = true;
#endif
    fail()
}

/* Own, unreaped child, in the group of this launch. By CLONE_PARENT a thief can be a child too. */
inline is_newborn(who, result) {
#ifdef ALIVE_FROM_ANY_CHILD
    result = who == THIEF || life[who] == alive || life[who] == zombie
#else
    result = who == NEWBORN && (life[who] == alive || life[who] == zombie)
#endif
}

inline answer_create(how) {
    create = how;
    if
    :: how == told_failed && LEFT -> left_at_answer = true
    :: else
    fi
}

inline answer_start(how) {
    start = how;
    if
    :: how == told_ok && !executed && life[NEWBORN] == alive -> lie_at_start = true
    :: else
    fi
}

inline answer_exec() { /* of an exec, Executed is what the call waits for */
    if
    :: create == asked ->
        create = told_ok;
        if
        :: !executed && life[NEWBORN] == alive -> lie_at_start = true
        :: else
        fi
    :: else
    fi
}

inline on_l(word, who, fdof) {
    if
#ifdef ANY_WORD
    :: word == SpawnerIs -> spawner = fdof
#endif
#ifndef SENDER_UNCHECKED
    :: who != LAUNCHER -> unexpected()
#endif
    :: word == Prepared && !got_prepared && main == NOBODY -> got_prepared = true
    :: word == SpawnerIs && restricted && !got_spawner -> got_spawner = true; spawner = fdof
    :: word == NeighboursDue && mode == nested && got_prepared && !got_due ->
        got_due = true; still = true; back!Go
    :: word == Dropped && got_due && !got_dropped -> got_dropped = true; still = false
    :: word == Failed -> told = true /* its sender has to be reaped first */
    :: else -> unexpected()
    fi
}

#ifdef BORN_BELIEVED
#define MAY_BE_ALIVE false
#else
#define MAY_BE_ALIVE (main == NOBODY && got_prepared)
#endif
#define SETTLED (got_ready || (mode == exec && main != NOBODY))

inline on_n(word, who, fdof) {
    if
#ifdef BORN_BELIEVED
    :: word == Born -> main = fdof
    :: word == Alive -> skip
#endif
#ifdef EMPTY_IS_END
    :: word == Empty && SETTLED -> n_ended = true
#endif
    :: SETTLED && who != main -> lost = true /* a thief has it: it is not read any more */
    :: else ->
        if
        :: word == Alive && MAY_BE_ALIVE ->
            is_newborn(who, believed);
            if
            :: believed -> main = who
            :: else -> unexpected()
            fi
        :: word == Failed && main == NOBODY && who == LAUNCHER -> told = true
        :: who != main -> unexpected()
        :: word == Failed && who == main -> fail()
        :: word == HooksDue && who == main && mode == alone && !got_hooks && !got_ready ->
            got_hooks = true; back_n!Go
        :: word == Terminal && who == main && mode == alone && !got_terminal && !got_ready -> got_terminal = true
        :: word == Ready && who == main && mode != exec && !got_ready && !told ->
            got_ready = true; still = false; state = created; answer_create(told_ok)
        :: else -> unexpected()
        fi
    fi
}

#ifdef ANY_WORD
#define HEARS_L HEARS
#else
#define HEARS_L (state == launching)
#endif
#define HEARS (state == launching || state == created || state == starting)

#define ENDED_OR_SEEN (n_ended || (n_held == 0 && empty(N) && !lost) || (life[NEWBORN] == alive && executed))

active proctype Parent() provided (!parent_gone) {
    atomic {
        if
        :: mode = pod
        :: mode = alone
        :: mode = nested
        :: mode = exec
        fi;
        restricted = (mode == pod);
        life[THIEF] = alive;
        life[LAUNCHER] = alive;
        l_held = BIT(LAUNCHER); n_held = BIT(LAUNCHER);
        run Launcher()
    };
end:
    do
    /* what the launcher says, also after its end */
    :: atomic { HEARS_L && nempty(L) -> L?word, who, fdof; on_l(word, who, fdof) }
    :: atomic { HEARS && !lost && nempty(N) && (empty(L) || state != launching) ->
           N?word, who, fdof; on_n(word, who, fdof) }
    /* whoever is a child is reaped; a word that it said is read first */
    :: atomic { life[LAUNCHER] == zombie && (empty(L) || state != launching) -> life[LAUNCHER] = reaped; launcher_ended = true }
    :: atomic { life[NEWBORN] == zombie && (empty(N) || lost || !HEARS) -> life[NEWBORN] = reaped; still = false;
           if
           :: state == launching && mode == exec && main != NOBODY -> state = running; answer_exec()
           :: state == launching -> fail()
           :: state == created || state == running -> skip
           :: state == starting -> state = running; answer_start(told_failed)
           :: else
           fi }
    /* the launcher has ended, having said why, or nobody is there to be ready */
    :: atomic { launcher_ended && state == launching && empty(L) &&
                (told || (life[NEWBORN] == none && empty(N))) -> fail() }
    /* 30 seconds */
    :: atomic { state == launching -> fail() }
    /* the end of N, or a look at the kernel while somebody else holds it */
    :: atomic { ENDED_OR_SEEN && state == launching && mode == exec && main != NOBODY && launcher_ended ->
           state = running; answer_exec() }
    :: atomic { ENDED_OR_SEEN && state == starting ->
           state = running; answer_start(told_ok) }
    /* who starts: a gate at which nobody reads refuses */
    :: atomic { start == asked && state == created && gate_held != 0 && life[NEWBORN] == alive ->
           state = starting; gate_byte = true }
    :: atomic { start == asked && (state == created || state == failed || state == running) &&
                (gate_held == 0 || life[NEWBORN] != alive) ->
           answer_start(told_failed) }
#ifndef BYTE_ONCE
    /* the byte was eaten: written again, as long as init waits */
    :: atomic { state == starting && at_gate && !gate_byte && life[NEWBORN] == alive ->
           gate_byte = true }
#endif
    /* a start that does not come to an end: coveyd's limit answers it, the container is as it was */
    :: atomic { state == starting && stopped && life[NEWBORN] == alive && start == asked -> start = told_failed }
    /* a failure: launcher first, then the group, again until it is proved empty */
    :: atomic { state == failing && life[LAUNCHER] == alive -> ends(LAUNCHER) }
    :: atomic { state == failing && life[NEWBORN] == alive -> ends(NEWBORN) }
#ifdef TOLD_EARLY
    :: atomic { state == failing && life[NEWBORN] != alive && life[NEWBORN] != zombie ->
#else
    :: atomic { state == failing && !LEFT ->
#endif
           state = failed; still = false; main = NOBODY;
           if
           :: create == asked -> answer_create(told_failed)
           :: else
           fi;
           if
           :: start == asked -> answer_start(told_failed)
           :: else
           fi }
    /* a later exec into a container with restricted access: its spawner gets the group's descriptor */
    :: atomic { spawner != NOBODY && (state == created || state == running) && host_descriptor_to == NOBODY ->
           host_descriptor_to = spawner }
    od
}

active proctype Client() {
    if
    :: atomic { create == told_ok && mode != exec -> start = asked }
    :: create == told_ok && mode == exec
    :: create == told_failed
    fi
}

#define BELIEF (main == NOBODY || main == NEWBORN)
#define HOST_DESCRIPTOR (host_descriptor_to == NOBODY || host_descriptor_to == SPAWNER)
#define NOTHING_LEFT (!left_at_answer && (create == told_failed -> !LEFT))
#define TRUTH (!lie_at_start)
#define HARMLESS (!parent_gone)

/* No belief in a thief: main is the process that was launched, and no other gets a descriptor of the host's. */
ltl belief { [] BELIEF }
ltl host_descriptor { [] HOST_DESCRIPTOR }
/* What was told has failed has left nothing behind, then or later. */
ltl nothing_left { [] NOTHING_LEFT }
/* A start that was told is one: the program runs, or has ended. */
ltl truth { [] TRUTH }
/* One launch's failure is nobody else's. */
ltl harmless { [] HARMLESS }
/* Every call is answered. */
ltl create_answered { <> (create == told_ok || create == told_failed) }
ltl start_answered { [] (start == asked -> <> (start == told_ok || start == told_failed)) }
/* All of them, in two runs. */
ltl safe { [] (BELIEF && HOST_DESCRIPTOR && NOTHING_LEFT && TRUTH && HARMLESS) }
ltl settled { <> [] ((create == told_ok || create == told_failed) && start != asked) }
/* Must be seen to happen. */
ltl w_started { [] !(start == told_ok && executed) }
ltl w_exec { [] !(mode == exec && create == told_ok) }
ltl w_nested { [] !(mode == nested && start == told_ok) }
