// A configuration with every property of the OCI runtime specification's Linux part.
#include "unit/spec/bad_case.hpp"

namespace covey::test {
namespace {

constexpr std::string_view kFull = R"json({
  "ociVersion": "1.2.0",
  "root": {"path": "rootfs", "readonly": true},
  "hostname": "pod", "domainname": "example.org",
  "mounts": [
    {"destination": "/proc", "type": "proc", "source": "proc"},
    {"destination": "/data", "type": "none", "source": "/srv", "options": ["rbind", "idmap"],
     "uidMappings": [{"containerID": 0, "hostID": 1000, "size": 10}],
     "gidMappings": [{"containerID": 0, "hostID": 2000, "size": 20}]}
  ],
  "process": {
    "terminal": true, "consoleSize": {"height": 25, "width": 80},
    "cwd": "/work", "env": ["PATH=/bin", "EMPTY="], "args": ["sh", "-c", ""],
    "rlimits": [{"type": "RLIMIT_NOFILE", "soft": 1024, "hard": 18446744073709551615},
                {"type": "RLIMIT_CORE", "soft": 0, "hard": 0}],
    "capabilities": {"bounding": ["CAP_CHOWN", "CAP_CHECKPOINT_RESTORE"], "effective": ["CAP_KILL"],
                     "inheritable": [], "permitted": ["CAP_KILL"], "ambient": ["CAP_SYS_PTRACE"]},
    "noNewPrivileges": true, "oomScoreAdj": -500,
    "user": {"uid": 1, "gid": 2, "umask": 18, "additionalGids": [3, 4294967294]},
    "apparmorProfile": "profile", "selinuxLabel": "u:r:t:s0",
    "scheduler": {"policy": "SCHED_FIFO", "nice": 0, "priority": 50,
                  "flags": ["SCHED_FLAG_RESET_ON_FORK"], "runtime": 0, "deadline": 0, "period": 0},
    "ioPriority": {"class": "IOPRIO_CLASS_BE", "priority": 7},
    "execCPUAffinity": {"initial": "7", "final": "0-3,7"}
  },
  "hooks": {
    "prestart": [{"path": "/h/a", "args": ["a"], "env": ["A=b"], "timeout": 5}],
    "createRuntime": [{"path": "/h/b"}], "createContainer": [{"path": "/h/c"}],
    "startContainer": [{"path": "/h/d"}], "poststart": [{"path": "/h/e"}],
    "poststop": [{"path": "/h/f"}]
  },
  "annotations": {"org.example/key": "value"},
  "linux": {
    "namespaces": [{"type": "pid", "path": "/proc/1/ns/pid"}, {"type": "network"},
                   {"type": "mount"}, {"type": "ipc"}, {"type": "uts"}, {"type": "user"},
                   {"type": "cgroup"}, {"type": "time"}],
    "uidMappings": [{"containerID": 0, "hostID": 1000, "size": 100},
                    {"containerID": 100, "hostID": 5000, "size": 100}],
    "gidMappings": [{"containerID": 0, "hostID": 0, "size": 4294967295}],
    "timeOffsets": {"boottime": {"secs": -5, "nanosecs": 999999999}, "monotonic": {"secs": 6}},
    "devices": [{"type": "c", "path": "/dev/fuse", "major": 10, "minor": 229, "fileMode": 8630,
                 "uid": 0, "gid": 7},
                {"type": "p", "path": "/dev/fifo"}],
    "cgroupsPath": "/covey/x",
    "resources": {
      "devices": [{"allow": false, "access": "rwm"},
                  {"allow": true, "type": "c", "major": 10, "minor": -1, "access": "mr"}],
      "memory": {"limit": 1000, "reservation": -1, "swap": 2000, "kernel": -1, "kernelTCP": -1,
                 "swappiness": 100, "disableOOMKiller": false, "useHierarchy": true,
                 "checkBeforeUpdate": true},
      "cpu": {"shares": 1024, "period": 100000, "quota": 50000, "burst": 1000,
              "realtimePeriod": 1000000, "realtimeRuntime": 950000, "idle": 1, "cpus": "0-3,7",
              "mems": "0"},
      "pids": {"limit": -1},
      "blockIO": {"weight": 10, "leafWeight": 1000,
        "weightDevice": [{"major": 8, "minor": 0, "weight": 500, "leafWeight": 300}],
        "throttleReadBpsDevice": [{"major": 8, "minor": 1, "rate": 600}],
        "throttleWriteBpsDevice": [{"major": 8, "minor": 2, "rate": 601}],
        "throttleReadIOPSDevice": [{"major": 8, "minor": 3, "rate": 602}],
        "throttleWriteIOPSDevice": [{"major": 8, "minor": 4, "rate": 603}]},
      "hugepageLimits": [{"pageSize": "2MB", "limit": 9223372036854772000}],
      "network": {"classID": 1048577, "priorities": [{"name": "eth0", "priority": 500}]},
      "rdma": {"mlx5_1": {"hcaHandles": 3, "hcaObjects": 10000}},
      "unified": {"memory.high": "1000"}
    },
    "rootfsPropagation": "rslave",
    "seccomp": {
      "defaultAction": "SCMP_ACT_ERRNO", "defaultErrnoRet": 38,
      "architectures": ["SCMP_ARCH_X86_64"], "flags": ["SECCOMP_FILTER_FLAG_LOG"],
      "listenerPath": "/run/agent.sock", "listenerMetadata": "m",
      "syscalls": [
        {"names": ["read", "write"], "action": "SCMP_ACT_ALLOW"},
        {"names": ["socket"], "action": "SCMP_ACT_TRACE", "errnoRet": 65535,
         "args": [{"index": 5, "value": 18446744073709551615, "valueTwo": 1,
                   "op": "SCMP_CMP_MASKED_EQ"}]},
        {"names": ["mount"], "action": "SCMP_ACT_NOTIFY"}]
    },
    "sysctl": {"net.ipv4.ip_forward": "1", "net/ipv4/conf/eth0.1/forwarding": "1"},
    "maskedPaths": ["/proc/kcore"], "readonlyPaths": ["/proc/sys"],
    "mountLabel": "system_u:object_r:t:s0",
    "personality": {"domain": "LINUX32", "flags": []},
    "intelRdt": {"closID": "guaranteed", "l3CacheSchema": "L3:0=ff0", "memBwSchema": "MB:0=20",
                 "enableCMT": true, "enableMBM": true}
  }
})json";

}  // namespace

std::string_view full_config() noexcept {
    return kFull;
}

}  // namespace covey::test
