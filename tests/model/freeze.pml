/* The stillness that a launch in pid mode nested needs: while a privileged newborn is in the pod's sight,
 * whoever could reach it stands still.
 *
 * front = shim: one program knows the pod; it holds still for all its launches at once.
 * front = runtime: each create has a guard, a process of its own; who changes what stands still (guards,
 * pause, resume, start) takes the pod's lock.
 * Neighbours: 0 can reach a newborn, and perhaps cannot be frozen; 1 cannot reach; 2 can, and starts meanwhile.
 * One process dies at most, at any moment: a launcher, a newborn, a command, a guard, the shim.
 * Runs have an end; "is answered" and "is thawed" need no fairness. Mutants (-D): see check.py.
 */
#define FREE 2
mtype = { shim, runtime };
mtype = { idle, due, granted, over };    /* a launch's share of the stillness */
mtype = { none, freezing, still };
mtype = { unanswered, told_ok, told_failed };

mtype front;
/* launches */
mtype share[2] = idle, result[2] = unanswered;
bool launcher[2] = true, newborn[2], dying[2], privileged[2], cut[2], dropped[2], go[2];
/* neighbours */
bool written[3], stopped[3], paused[3], ours0[3], ours1[3], alive[3] = true;
bool started2, stuck;
/* who holds them still */
mtype fs[2] = none;
byte lock = FREE;
bool late[2], command[2] = true, guard[2] = true, shim_dead;
bool want_pause, want_start;

#define NEEDED(n) (alive[n] && (n == 0 || (n == 2 && started2)))
#define RUNS(n) (NEEDED(n) && !stopped[n])
#define SEEN(i) (privileged[i] && (RUNS(0) || RUNS(2)))
#define QUIET ((!NEEDED(0) || stopped[0]) && (!NEEDED(2) || stopped[2]))
#define MINE(k, i) (front == shim || i == k)
/* One that comes when the time is over waits for the next stillness. */
#define WANTS(k, i) (MINE(k, i) && (share[i] == granted || (share[i] == due && !late[k])))
#define HOLDS(k) (WANTS(k, 0) || WANTS(k, 1))

/* The kernel: a group that shall stand still does, some time; one that is killed has ended, some time. */
active proctype Kernel() {
    do
    :: atomic { written[0] && !stopped[0] && !stuck && alive[0] -> stopped[0] = true }
    :: atomic { written[2] && !stopped[2] && alive[2] -> stopped[2] = true }
    :: atomic { dying[0] && newborn[0] -> newborn[0] = false; privileged[0] = false }
    :: atomic { dying[1] && newborn[1] -> newborn[1] = false; privileged[1] = false }
    od
}

proctype Newborn(byte i) provided (newborn[i]) {
    if
    :: atomic { privileged[i] = false; cut[i] = true }
    :: skip /* it hangs, and keeps what it has */
    fi
}

proctype Launcher(byte i) provided (launcher[i]) {
    share[i] = due;
    atomic { go[i] -> newborn[i] = true; privileged[i] = true; run Newborn(i) };
    if
    :: cut[i] -> dropped[i] = true
    :: !newborn[i]
    fi;
    launcher[i] = false
}

inline hold(n) {
    if
    :: NEEDED(n) && !written[n] ->
        written[n] = true;
        if
        :: k == 0 -> ours0[n] = true
        :: else -> ours1[n] = true
        fi
    :: else
    fi
}

inline let_go(n) {
    if
    :: k == 0 && ours0[n] -> ours0[n] = false; written[n] = false; stopped[n] = false
    :: k == 1 && ours1[n] -> ours1[n] = false; written[n] = false; stopped[n] = false
    :: else
    fi
}

inline grant(i) {
    if
    :: MINE(k, i) && share[i] == due -> share[i] = granted; go[i] = true
    :: else
    fi
}

/* Whoever is asked to end is killed; the share is given back when that is proved, at once if there is no
 * newborn yet. */
inline cut_short(i) {
    launcher[i] = false; dying[i] = true;
    result[i] = told_failed;
    if
    :: share[i] == due -> share[i] = over
    :: else
    fi
}

#ifdef NO_HOLD_LIMIT
#define HOLD_IS_LIMITED false
#else
#define HOLD_IS_LIMITED true
#endif
#ifdef GRANTS_LATE
#define IN_TIME true
#else
#define IN_TIME (!late[k])
#endif
#define SPEAKS(k) (front == shim || (command[k] && guard[k]))

/* covey-shim's stillness, or a command with its guard: whichever of the two survives the other. */
proctype Holder(byte k) provided (!shim_dead) {
    do
    /* the first who needs it */
    :: atomic { SPEAKS(k) && fs[k] == none && HOLDS(k) && lock == FREE ->
#ifndef NO_LOCK
           lock = k;
#endif
           fs[k] = freezing;
#ifdef ALL_FROZEN
           written[1] = true;
           if :: k == 0 -> ours0[1] = true :: else -> ours1[1] = true fi;
#endif
           hold(0); hold(2)
       }
    :: atomic { SPEAKS(k) && fs[k] == freezing && QUIET && IN_TIME -> fs[k] = still; grant(0); grant(1) }
    /* another one meanwhile shares it */
    :: atomic { SPEAKS(k) && fs[k] == still && QUIET && IN_TIME && MINE(k, 0) && share[0] == due -> grant(0) }
    :: atomic { SPEAKS(k) && fs[k] == still && QUIET && IN_TIME && MINE(k, 1) && share[1] == due -> grant(1) }
    /* dropped: its share is given back */
    :: atomic { MINE(k, 0) && share[0] == granted && dropped[0] -> share[0] = over
           if :: result[0] == unanswered -> result[0] = told_ok :: else fi }
    :: atomic { MINE(k, 1) && share[1] == granted && dropped[1] -> share[1] = over
           if :: result[1] == unanswered -> result[1] = told_ok :: else fi }
#ifndef NO_THAW_AT_DEATH
    /* a launcher that has ended without that word: the newborn may be privileged still */
    :: atomic { MINE(k, 0) && (share[0] == granted || share[0] == due) && !launcher[0] && !dropped[0] && !dying[0] -> cut_short(0) }
    :: atomic { MINE(k, 1) && (share[1] == granted || share[1] == due) && !launcher[1] && !dropped[1] && !dying[1] -> cut_short(1) }
#endif
#ifdef THAW_BEFORE_DEAD
    :: atomic { MINE(k, 0) && share[0] == granted && dying[0] -> share[0] = over }
    :: atomic { MINE(k, 1) && share[1] == granted && dying[1] -> share[1] = over }
#else
    :: atomic { MINE(k, 0) && share[0] == granted && dying[0] && !newborn[0] -> share[0] = over }
    :: atomic { MINE(k, 1) && share[1] == granted && dying[1] && !newborn[1] -> share[1] = over }
#endif
    /* 50 ms */
#ifndef NO_LIMIT
    :: atomic { (fs[k] == freezing || (fs[k] == still && HOLD_IS_LIMITED)) && !late[k] && HOLDS(k) -> late[k] = true;
#ifdef THAW_ON_TIMER
           let_go(0); let_go(2);
#endif
           if
           :: MINE(k, 0) && (share[0] == due || share[0] == granted) && !dropped[0] && !dying[0] -> cut_short(0)
           :: else
           fi;
           if
           :: MINE(k, 1) && (share[1] == due || share[1] == granted) && !dropped[1] && !dying[1] -> cut_short(1)
           :: else
           fi }
#endif
    /* the other half of a command and its guard has gone */
#ifndef NO_THAW_AT_DEATH
    :: atomic { front == runtime && (command[k] || guard[k]) && !(command[k] && guard[k]) && HOLDS(k) &&
                !dying[k] && !dropped[k] -> cut_short(k) }
#endif
#ifdef GUARD_THAWS_AT_ONCE
    :: atomic { front == runtime && !command[k] && fs[k] != none -> let_go(0); let_go(2); fs[k] = none; lock = FREE }
#endif
    /* the last one */
#ifdef FIRST_THAWS
    :: atomic { fs[k] != none && (share[0] == over || share[1] == over) ->
#else
    :: atomic { fs[k] != none && !HOLDS(k) ->
#endif
           let_go(0); let_go(2);
           fs[k] = none; late[k] = false;
#ifndef NO_LOCK
           lock = FREE
#else
           skip
#endif
       }
    od
}

/* A client pauses, and resumes, neighbour 0. */
proctype Pauser() {
    want_pause = true;
    if
    :: atomic { front == shim && !shim_dead -> paused[0] = true; written[0] = true; ours0[0] = false }
#ifdef NO_LOCK
    :: atomic { front == runtime -> paused[0] = true; written[0] = true }
#else
    :: atomic { front == runtime && lock == FREE -> paused[0] = true; written[0] = true }
#endif
    :: shim_dead
    fi;
    want_pause = false;
    if
    :: true -> goto end /* it stays so */
    :: true
    fi;
    if
    :: atomic { front == shim && !shim_dead -> paused[0] = false;
           if
#ifndef RESUME_THAWS
           :: fs[0] != none -> ours0[0] = true
#endif
           :: else -> written[0] = false; stopped[0] = false
           fi }
#ifdef NO_LOCK
    :: atomic { front == runtime -> paused[0] = false; written[0] = false; stopped[0] = false }
#else
    :: atomic { front == runtime && lock == FREE -> paused[0] = false; written[0] = false; stopped[0] = false }
#endif
    :: shim_dead
    fi;
end: skip
}

/* A client starts neighbour 2. */
proctype Starter() {
    want_start = true;
    if
#ifdef NEWCOMER_RUNS
    :: atomic { front == shim && !shim_dead -> started2 = true }
#else
    :: atomic { front == shim && !shim_dead && fs[0] == none -> started2 = true }
    :: atomic { front == shim && !shim_dead && fs[0] != none -> written[2] = true; ours0[2] = true; stopped[2] = true; started2 = true }
#endif
#ifdef NO_LOCK
    :: atomic { front == runtime -> started2 = true }
#else
    :: atomic { front == runtime && lock == FREE -> started2 = true }
#endif
    :: shim_dead
    fi;
    want_start = false
}

/* One death. */
active proctype Death() {
    if
    :: atomic { launcher[0] && share[0] != idle -> launcher[0] = false }
    :: atomic { newborn[0] -> newborn[0] = false; privileged[0] = false }
    :: atomic { front == runtime && fs[0] != none -> guard[0] = false }
    :: atomic { front == runtime && fs[0] != none -> command[0] = false }
    :: atomic { front == shim && fs[0] != none -> shim_dead = true }
    :: skip
    fi
}

/* coveyd, or the next one: a pod without its shim is killed, frozen or not, then cleared. */
active proctype Burial() {
    atomic { shim_dead -> dying[0] = true; dying[1] = true; launcher[0] = false; launcher[1] = false };
#ifndef SHIM_DEATH_FORGOTTEN
    atomic { alive[0] = false; alive[1] = false; alive[2] = false }
#endif
}

init {
    atomic {
        if
#ifndef RUNTIME /* no fault, but the half to look at */
        :: front = shim; run Holder(0)
#endif
        :: front = runtime; run Holder(0); run Holder(1)
        fi;
        if
        :: stuck = true
        :: skip
        fi;
        run Launcher(0);
        run Launcher(1);
#ifdef BOTH /* clients at once */
        run Pauser();
        run Starter()
#else
        if
        :: run Pauser()
        :: run Starter()
        fi
#endif
    }
}

#define AS_WISHED(n) (!alive[n] || written[n] == paused[n])

#define SECRET (shim_dead || !(SEEN(0) || SEEN(1)))
#define PAUSE_STAYS (paused[0] && alive[0] -> written[0])
#define ONLY_WHO_REACHES (!(ours0[1] || ours1[1]))
#define HARMLESS (shim_dead || (alive[0] && alive[1] && alive[2]))
#define THAWED (AS_WISHED(0) && AS_WISHED(1) && AS_WISHED(2))
#define ANSWERED(i) (shim_dead || result[i] != unanswered || !command[i])
#define CLIENT_ANSWERED (!want_pause && !want_start)

/* A privileged newborn is in nobody's sight who runs and could reach it. (The shim's death ends the pod.) */
ltl secret { [] SECRET }
ltl pause_stays { [] PAUSE_STAYS }
ltl only_who_reaches { [] ONLY_WHO_REACHES }
/* No neighbour dies of a launch. */
ltl harmless { [] HARMLESS }
/* Whatever ends, and however: in the end everyone goes on, but whom a client has paused. */
ltl thawed { <> [] THAWED }
/* Every launch whose caller lives is answered, and so are pause and start. */
ltl launch_answered { <> (ANSWERED(0) && ANSWERED(1)) }
ltl client_answered { <> [] CLIENT_ANSWERED }
/* All of them, in two runs. */
ltl safe { [] (SECRET && PAUSE_STAYS && ONLY_WHO_REACHES && HARMLESS) }
ltl settled { <> [] (THAWED && ANSWERED(0) && ANSWERED(1) && CLIENT_ANSWERED) }
/* Must be seen to happen. */
ltl w_both { [] !(result[0] == told_ok && result[1] == told_ok) }
ltl w_refused { [] !(stuck && result[0] == told_failed && result[1] == told_failed) }
ltl w_guards { [] !(front == runtime && result[0] == told_ok && result[1] == told_ok && paused[0]) }
