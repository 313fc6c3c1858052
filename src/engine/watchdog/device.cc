#include "engine/watchdog/device.h"

#include "engine/watchdog/kernel_device.h"
#include "engine/watchdog/lab_device.h"

namespace komainu::engine {

Result<std::unique_ptr<WatchdogDevice>> open_watchdog(const std::string& path) {
  constexpr std::string_view kLab = "lab:";
  if (path.starts_with(kLab))
    return LabWatchdog::open(path.substr(kLab.size()), std::string(LabWatchdog::kContainerFile));
  return KernelWatchdog::open(path);
}

}  // namespace komainu::engine
