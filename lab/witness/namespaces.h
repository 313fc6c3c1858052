// Entering a network namespace by its path.
#pragma once

#include <string>

namespace komainu::witness {

// Ends the program with a message: the witness cannot judge what it cannot reach.
[[noreturn]] void give_up(const std::string& what);

// The calling thread is inside until the end of this object's life.
class InsideNetns {
 public:
  explicit InsideNetns(const std::string& path);
  ~InsideNetns();
  InsideNetns(const InsideNetns&) = delete;
  InsideNetns& operator=(const InsideNetns&) = delete;

 private:
  int home_;
};

}  // namespace komainu::witness
