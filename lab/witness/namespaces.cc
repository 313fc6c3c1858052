#include "namespaces.h"

#include <fcntl.h>
#include <sched.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>

namespace komainu::witness {

void give_up(const std::string& what) {
  std::fprintf(stderr, "komainu-witness: %s: %s\n", what.c_str(), std::strerror(errno));
  std::exit(3);
}

InsideNetns::InsideNetns(const std::string& path)
    : home_(open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC)) {
  const int target = open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (home_ < 0 || target < 0 || setns(target, CLONE_NEWNET) != 0) give_up("network namespace " + path);
  close(target);
}

InsideNetns::~InsideNetns() {
  if (setns(home_, CLONE_NEWNET) != 0) give_up("return to the own network namespace");
  close(home_);
}

}  // namespace komainu::witness
