// Mounts a file system that never answers, for as long as it runs, and writes the path of a program on it to
// FILE.
#include <unistd.h>

#include <cstdio>
#include <fstream>
#include <string>

#include "engine/testing/dead_filesystem.h"

int main(int argc, char** argv) {
  if (argc != 2) {
    std::fprintf(stderr, "usage: komainu-dead-filesystem FILE\n");
    return 2;
  }
  const komainu::engine::testing::DeadFilesystem dead;
  if (::testing::Test::HasFailure()) return 1;
  std::ofstream(argv[1]) << dead.file() << '\n';
  for (;;) ::pause();
}
