// Kernel constants, structs and call numbers that Debian 12's headers (glibc 2.36, Linux 6.1) lack
// or that clash between <sys/mount.h> and <linux/mount.h>. The one place for them.
#pragma once

#include <cstdint>

#include <linux/mount.h>
#include <linux/nsfs.h>
#include <linux/openat2.h>
#include <linux/sched.h>
#include <linux/seccomp.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>

// Linux 6.11: a pidfd gives its process's namespaces (linux/pidfd.h).
#ifndef PIDFD_GET_PID_NAMESPACE
#define PIDFS_IOCTL_MAGIC 0xFF
#define PIDFD_GET_CGROUP_NAMESPACE _IO(PIDFS_IOCTL_MAGIC, 1)
#define PIDFD_GET_IPC_NAMESPACE _IO(PIDFS_IOCTL_MAGIC, 2)
#define PIDFD_GET_MNT_NAMESPACE _IO(PIDFS_IOCTL_MAGIC, 3)
#define PIDFD_GET_NET_NAMESPACE _IO(PIDFS_IOCTL_MAGIC, 4)
#define PIDFD_GET_PID_NAMESPACE _IO(PIDFS_IOCTL_MAGIC, 5)
#endif

// Linux 6.11: the number of a process in another PID namespace (linux/nsfs.h).
#ifndef NS_GET_TGID_IN_PIDNS
#define NS_GET_TGID_IN_PIDNS _IOR(NSIO, 0x9, int)
#endif
// Linux 6.9: pidfds have a filesystem of their own, and each process an inode in it.
#ifndef PID_FS_MAGIC
#define PID_FS_MAGIC 0x50494446
#endif

// Linux 6.13: what a pidfd's process is (linux/pidfd.h); the last two fields since 6.16.
struct PidfdInfo {
    std::uint64_t mask, cgroup_id;
    std::uint32_t pid, tgid, ppid, ruid, rgid, euid, egid, suid, sgid, fsuid, fsgid;
    std::int32_t exit_code;
    std::uint32_t coredump_mask, unused;
};
inline constexpr std::uint64_t kPidfdInfoCoredump = 1U << 4U;
inline constexpr std::uint32_t kPidfdCoredumpUser = 1U << 2U;  // an ordinary, dumpable process
inline constexpr unsigned long kPidfdGetInfo = _IOWR(PIDFS_IOCTL_MAGIC, 11, PidfdInfo);

// Linux 5.19, with a listener only: who waits for the agent can be killed (linux/seccomp.h).
#ifndef SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV
#define SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV (1UL << 5U)
#endif

// <sys/mount.h> declares these as an enum in newer glibc; here only <linux/mount.h> may be
// included.
#ifndef MS_RDONLY
#define MS_UNBINDABLE (1UL << 17U)
#define MS_PRIVATE (1UL << 18U)
#define MS_SLAVE (1UL << 19U)
#define MS_SHARED (1UL << 20U)
#define MS_REC 16384UL
#endif
#ifndef MNT_DETACH
#define MNT_DETACH 2
#endif
#ifndef AT_RECURSIVE
#define AT_RECURSIVE 0x8000
#endif
