#include "engine/watchdog/kernel_device.h"

#include <dirent.h>
#include <fmt/core.h>
#include <limits.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include <algorithm>
#include <cctype>
#include <chrono>
#include <cstring>
#include <string_view>

#include "base/duration_text.h"

namespace komainu::engine {
namespace {

// The first device has two names: the misc device of older kernels, 10:130 (<linux/miscdevice.h>), and
// watchdog0.
std::string sysfs_folder(int fd) {
  struct stat status{};
  ::fstat(fd, &status);
  if (major(status.st_rdev) == 10 && minor(status.st_rdev) == 130) return "/sys/class/watchdog/watchdog0";
  return fmt::format("/sys/dev/char/{}:{}", major(status.st_rdev), minor(status.st_rdev));
}

std::string attribute(int device, const char* name) {
  std::string text = read_kernel_file(AT_FDCWD, (sysfs_folder(device) + "/" + name).c_str(), 256);
  while (!text.empty() && std::isspace(static_cast<unsigned char>(text.back()))) text.pop_back();
  return text;
}

// Whether one of the process's descriptors is a watchdog device. Links are read and not followed: what they
// lead to may hang.
bool has_open_watchdog(const std::string& process) {
  const std::string folder = process + "/fd";
  DIR* const descriptors = ::opendir(folder.c_str());
  if (!descriptors) return false;
  bool found = false;
  while (const dirent* entry = ::readdir(descriptors)) {
    char target[PATH_MAX];
    const ssize_t size = ::readlinkat(::dirfd(descriptors), entry->d_name, target, sizeof target);
    found = found || (size > 0 &&
                      std::string_view(target, static_cast<std::size_t>(size)).starts_with("/dev/watchdog"));
  }
  ::closedir(descriptors);
  return found;
}

// "systemd (process 1)"; empty: nobody that this process may look at.
std::string owner() {
  DIR* const processes = ::opendir("/proc");
  if (!processes) return {};
  std::string who;
  while (const dirent* entry = ::readdir(processes)) {
    const std::string_view pid = entry->d_name;
    if (!std::ranges::all_of(pid, [](unsigned char c) { return std::isdigit(c); })) continue;
    const std::string process = fmt::format("/proc/{}", pid);
    if (!has_open_watchdog(process)) continue;
    std::string name = read_kernel_file(AT_FDCWD, (process + "/comm").c_str(), 64);
    if (!name.empty() && name.back() == '\n') name.pop_back();
    who = fmt::format("{} (process {})", name, pid);
    break;
  }
  ::closedir(processes);
  return who;
}

Error cannot_open(const std::string& path, int error) {
  const std::string what = "cannot open the watchdog " + path + ": " + errno_text(error);
  if (error == ENOENT || error == ENODEV || error == ENXIO) {
    return {what,
            "this machine has none, or its driver is not loaded: load the hardware's (iTCO_wdt, i6300esb, "
            "ipmi_watchdog …) or softdog, by a line in /etc/modules-load.d, or add [[fencing]] and set "
            "[timing] watchdog = \"0s\""};
  }
  if (error == EBUSY) {
    const std::string who = owner();
    return {
        who.empty() ? what : what + ", it belongs to " + who,
        "komainud must be its only owner: leave RuntimeWatchdogSec= out of systemd-system.conf(5), disable "
        "watchdog.service and wd_keepalive.service, or name another device"};
  }
  return {what, {}};
}

}  // namespace

Result<std::unique_ptr<WatchdogDevice>> KernelWatchdog::open(const std::string& path) {
  Fd fd{::open(path.c_str(), O_WRONLY | O_CLOEXEC)};
  if (!fd) return std::unexpected(cannot_open(path, errno));
  std::unique_ptr<KernelWatchdog> device(new KernelWatchdog(std::move(fd), path));
  Result<void> fit = device->examine();
  if (fit) fit = device->read_timeout();
  if (fit) return device;
  // Nothing has been entrusted to it yet. If it cannot be stopped, that is no worse than it was before.
  [[maybe_unused]] const Result<void> stopped = device->disarm();
  return std::unexpected(fit.error());
}

Result<void> KernelWatchdog::examine() {
  if (::ioctl(device_.get(), WDIOC_GETSUPPORT, &info_) != 0)
    return failure(path_ + " is no watchdog: " + errno_text());
  if (attribute(device_.get(), "nowayout") == "1") stops_ = Stops::kNever;
  if (info_.options & WDIOF_ALARMONLY)
    return failure("the watchdog " + path_ + " (" + description() + ") only raises an alarm",
                   "name a device that resets the machine");
  // Without the magic close the kernel stops it whenever it is closed (watchdog_release in watchdog_dev.c).
  if (!(info_.options & WDIOF_MAGICCLOSE) && stops_ == Stops::kOnRequest)
    return failure(
        "the watchdog " + path_ + " (" + description() + ") stops when komainud dies, just when it is needed",
        "its driver knows no magic close: load it with nowayout=1, or use another device");
  return {};
}

Result<void> KernelWatchdog::read_timeout() {
  int seconds = 0;
  if (::ioctl(device_.get(), WDIOC_GETTIMEOUT, &seconds) != 0 || seconds < 1)
    return failure("the watchdog " + path_ + " (" + description() + ") does not tell its timeout",
                   "nobody could wait for it then: use another device");
  timeout_ = std::chrono::seconds(seconds);
  return {};
}

Result<void> KernelWatchdog::set_timeout(Duration timeout) {
  int seconds = static_cast<int>(std::chrono::ceil<std::chrono::seconds>(timeout).count());
  const int asked = ::ioctl(device_.get(), WDIOC_SETTIMEOUT, &seconds) == 0 ? 0 : errno;
  if (Result<void> read = read_timeout(); !read) return read;
  if (asked == 0 || timeout_ == timeout) return {};
  return failure("cannot set the watchdog " + path_ + " (" + description() + ") to " +
                 duration_text(timeout) + ": " + errno_text(asked) + "; it is " + duration_text(timeout_));
}

Result<void> KernelWatchdog::feed() {
  if (::ioctl(device_.get(), WDIOC_KEEPALIVE, 0) == 0) return {};
  const char anything = 0;  // but the magic character
  if (::write(device_.get(), &anything, 1) == 1) return {};
  return failure("cannot feed the watchdog " + path_ + ": " + errno_text());
}

Result<void> KernelWatchdog::disarm() {
  const char magic = 'V';
  const bool written = ::write(device_.get(), &magic, 1) == 1;
  const int error = errno;
  device_ = Fd{};
  if (!written) return failure("cannot disarm the watchdog " + path_ + ": " + errno_text(error));
  if (stops_ == Stops::kNever)
    return failure("the watchdog " + path_ + " cannot be disarmed, its driver has nowayout",
                   fmt::format("it resets this machine in {} unless komainud is started again",
                               duration_text(timeout_)));
  return {};
}

std::string KernelWatchdog::description() const {
  const char* const identity = reinterpret_cast<const char*>(info_.identity);
  std::string text(identity, ::strnlen(identity, sizeof info_.identity));
  if (stops_ == Stops::kNever) text += ", nowayout: an end of komainud resets this machine, too";
  int before = 0;
  if (device_ && info_.options & WDIOF_PRETIMEOUT &&
      ::ioctl(device_.get(), WDIOC_GETPRETIMEOUT, &before) == 0 && before > 0) {
    const std::string governor = attribute(device_.get(), "pretimeout_governor");
    text += fmt::format(", pre-timeout {} s before it fires{}", before,
                        governor.empty() ? "" : " (" + governor + ")");
  }
  return text;
}

}  // namespace komainu::engine
