/* The end of a container and of its pod: main, what it leaves behind, the shim that reaps, coveyd that tells.
 *
 * A hostile container: a child of the shim's (made by CLONE_PARENT, or a thread that is traced by it), and a
 * leftover whose first thread has ended, which cgroup.kill does not end. The disk may be full, for a while or for
 * ever. The shim dies at any moment, or never; coveyd too, and comes back. A client starts the container, then
 * deletes it, then its pod.
 * Runs have an end; "is told" and "is answered" need no fairness. Mutants (-D): see check.py.
 */
mtype = { none, at_gate, runs, alive, zombie, reaped, dying, gone };
mtype = { unasked, asked, told_ok, told_failed, cut };
mtype = { Start, Delete, Stop, Status };                                        /* coveyd to shim */
mtype = { Started, StartFailed, Exited, Deleted, StatusIs, SandboxStopped };    /* shim to coveyd */

chan request = [2] of { mtype };
chan link = [4] of { mtype, bool, bool }; /* stopped, out of memory */

/* the kernel's */
mtype m = at_gate, child = none, left = none, pause = alive;
bool dead_leader, gate_byte, oom, killed;
bool disk_full;
/* the shim's, gone with it */
bool shim_up = true, starting, ending, stopped, delete_wanted, stop_wanted, saw_oom, ended_by_itself;
bool disk_stopped; /* container.json */
/* coveyd's: the journal outlives it */
byte coveyd = 1, journal;
bool linked = true, sent_start, sent_delete, sent_stop;
bool told_oom, exit_before_start, exit_before_empty;
/* the client's */
mtype start = unasked, delete = unasked, remove = unasked;

#define EMPTY (m != at_gate && m != runs && child != alive && left != alive)
#define UNREAPED (m == zombie || child == zombie)

/* The container, and the kernel. */
active proctype Container() {
    do
    :: atomic { m == at_gate && gate_byte -> gate_byte = false; m = runs }
    :: atomic { m == runs && child == none -> child = alive }
    :: atomic { m == runs && left == none -> left = alive;
           if
           :: dead_leader = true
           :: skip
           fi }
    :: m == runs -> m = zombie
    :: atomic { m == runs && !killed -> m = zombie; oom = true } /* by the kernel, out of memory */
    :: atomic { child == alive && m != runs && m != at_gate -> child = zombie }
    :: atomic { !shim_up && m == zombie -> m = reaped } /* by the host's init */
    :: atomic { !shim_up && child == zombie -> child = reaped }
    /* pause cannot finish dying while a child that joined from outside is unreaped; then all in there are gone */
    :: atomic { pause == dying && !UNREAPED && m != runs && m != at_gate && child != alive -> pause = gone; left = reaped }
    :: atomic { pause == dying && (m == runs || m == at_gate) -> m = zombie }
    :: atomic { pause == dying && child == alive -> child = zombie }
    od
}

active proctype Disk() {
    if
    :: disk_full = true;
       if
       :: disk_full = false
       :: true
       fi
    :: true
    fi
}

/* cgroup.kill: SIGKILL goes to the first thread, and one that has ended does not pass it on. */
inline kill_group() {
    killed = true;
    if
    :: m == at_gate || m == runs -> m = zombie
    :: else
    fi;
    if
    :: child == alive -> child = zombie
    :: else
    fi;
    if
    :: left == alive && !dead_leader -> left = reaped
    :: else
    fi
}

inline tell(word) {
    if
    :: linked -> link!word, stopped, saw_oom
    :: else
    fi
}

#ifdef DEAD_IS_MAIN
#define IS_DEAD (m == reaped)
#else
#ifdef KILL_TRUSTED
#define IS_DEAD (m == reaped && killed)
#else
#define IS_DEAD (m == reaped && EMPTY)
#endif
#endif

active proctype Shim() provided (shim_up) {
    do
    :: atomic { request?Start ->
           if
           :: m == at_gate -> gate_byte = true; starting = true
           :: else -> tell(StartFailed)
           fi }
    :: atomic { request?Status -> tell(StatusIs) }
    :: atomic { request?Delete -> delete_wanted = true;
           if
           :: !stopped -> kill_group(); ending = true
           :: else
           fi }
    :: atomic { request?Stop -> stop_wanted = true; pause = dying }
    /* it has exec'd */
    :: atomic { starting && m != at_gate -> starting = false; tell(Started) }
    /* main has ended; a start's answer precedes the exit */
    :: atomic { m == zombie ->
#ifndef EXIT_FIRST
           if
           :: starting -> starting = false; tell(Started)
           :: else
           fi;
#endif
           m = reaped; kill_group(); ending = true }
#ifndef KNOWN_ONLY
    :: atomic { child == zombie -> child = reaped }
#endif
#ifndef KILL_TRUSTED
    /* whoever is left after cgroup.kill, thread group by thread group */
    :: atomic { ending && left == alive -> left = reaped }
    :: atomic { ending && child == alive -> child = zombie }
#endif
    :: atomic { ending && IS_DEAD && !stopped &&
#ifdef RECORD_FIRST
                !disk_full ->
#else
                true ->
#endif
           stopped = true;
           saw_oom = oom;
           tell(Exited)
#ifdef RECORD_ENDS_SHIM
           ;
           if
           :: disk_full -> ended_by_itself = true; shim_up = false
           :: else
           fi
#endif
       }
    :: atomic { stopped && !disk_stopped && !disk_full -> disk_stopped = true }
    :: atomic { stopped && delete_wanted -> delete_wanted = false; tell(Deleted) }
    :: atomic { stop_wanted && pause == gone -> stop_wanted = false; tell(SandboxStopped) }
    od
}

inline tell_exit(is_oom) {
    if
    :: !seen ->
        seen = true;
        journal++;
        told_oom = is_oom;
        if
        :: start == asked && sent_start && shim_up -> exit_before_start = true
        :: else
        fi;
        if
        :: !EMPTY -> exit_before_empty = true
        :: else
        fi
    :: else
    fi
}

inline coveyd_runs() {
    bool seen, is_stopped, is_oom, buried;
    atomic {
#ifndef NO_INDEX
        seen = (journal > 0);
#endif
        if
        :: shim_up && coveyd > 1 -> linked = true; request!Status
        :: else
        fi
    };
    do
    :: atomic { link?Exited, is_stopped, is_oom -> tell_exit(is_oom) }
    :: atomic { link?StatusIs, is_stopped, is_oom ->
#ifndef EVENT_ONLY
           if
           :: is_stopped -> tell_exit(is_oom)
           :: else
           fi
#endif
       }
    :: atomic { link?Started, is_stopped, is_oom -> if :: start == asked -> start = told_ok :: else fi }
    :: atomic { link?StartFailed, is_stopped, is_oom -> if :: start == asked -> start = told_failed :: else fi }
    :: atomic { link?Deleted, is_stopped, is_oom -> if :: delete == asked -> delete = told_ok :: else fi }
    :: atomic { link?SandboxStopped, is_stopped, is_oom -> if :: remove == asked -> remove = told_ok :: else fi }
    :: atomic { shim_up && linked && start == asked && !sent_start && nfull(request) -> sent_start = true; request!Start }
    :: atomic { shim_up && linked && delete == asked && !sent_delete && nfull(request) -> sent_delete = true; request!Delete }
    :: atomic { shim_up && linked && remove == asked && !sent_stop && nfull(request) -> sent_stop = true; request!Stop }
    /* a dead shim: the pod is killed until it is proved empty, and what it wrote down last is told */
    :: atomic { !shim_up && empty(link) && !buried -> buried = true; kill_group(); pause = dying }
#ifndef BURIAL_TRUSTS_KILL
    :: atomic { buried && left == alive -> left = reaped }
#endif
    :: atomic { buried && (m == runs || m == at_gate || child == alive) -> kill_group() }
#ifdef BURIAL_TRUSTS_KILL
    :: atomic { buried && (!seen || start == asked || delete == asked || (remove == asked && pause == gone)) ->
#else
    :: atomic { buried && EMPTY && (!seen || start == asked || delete == asked || (remove == asked && pause == gone)) ->
#endif
           tell_exit(disk_stopped && oom);
           if :: start == asked -> start = told_failed :: else fi;
           if :: delete == asked -> delete = told_ok :: else fi;
           if :: remove == asked && pause == gone -> remove = told_ok :: else fi }
    od
}

proctype First() provided (coveyd == 1) { coveyd_runs() }
proctype Next() provided (coveyd == 2) { coveyd_runs() }

active proctype Client() {
    if
    :: start = asked; (start != asked)
    :: skip
    fi;
    delete = asked;
    (delete == told_ok);
    remove = asked;
    (remove == told_ok)
}

active proctype Death() {
    if
    :: shim_up = false
    :: skip
    fi
}

/* SIGKILL is coveyd's normal stop. A call that was under way has no answer but the end of its connection. */
active proctype Restarts() {
    run First();
    if
    :: skip
    :: atomic {
           coveyd = 0; linked = false;
           if :: start == asked -> start = cut :: else fi;
           sent_start = false; sent_delete = false; sent_stop = false;
           do
           :: link?_, _, _
           :: request?_
           :: empty(link) && empty(request) -> break
           od
       };
       atomic { coveyd = 2; run Next() }
    fi
}

#define EXIT_ONCE (journal <= 1)
#define AFTER_START (!exit_before_start)
#define DEAD_MEANS_EMPTY (!exit_before_empty)
#define NO_ORPHAN (delete == told_ok -> EMPTY)
#define HARMLESS (!ended_by_itself)

/* An exit is told once, never twice, after the start's answer, and when nobody of the container is left. */
ltl exit_once { [] EXIT_ONCE }
ltl after_start { [] AFTER_START }
ltl dead_means_empty { [] DEAD_MEANS_EMPTY }
ltl no_orphan { [] NO_ORPHAN }
/* The shim goes on, whatever the disk says. */
ltl harmless { [] HARMLESS }
/* No exit is lost. */
ltl exit_told { <> (journal == 1) }
/* Every call is answered, the pod's removal last of all. */
ltl start_answered { [] (start == asked -> <> (start != asked)) }
ltl removed { <> (remove == told_ok) }
/* All of them, in two runs. */
ltl safe { [] (EXIT_ONCE && AFTER_START && DEAD_MEANS_EMPTY && NO_ORPHAN && HARMLESS) }
ltl settled { <> (journal == 1 && remove == told_ok && start != asked) }
/* Must be seen to happen. */
ltl w_oom { [] !(told_oom && remove == told_ok) }
ltl w_buried { [] !(!shim_up && remove == told_ok && start == told_ok) }
ltl w_restart { [] !(coveyd == 2 && remove == told_ok && shim_up && child == reaped && dead_leader) }
