// Every driver type, each defined in the file of its name. A new type is declared here and listed in
// types.cc.
#pragma once

#include "drivers/driver.h"

namespace komainu::drivers {

const ResourceType& floating_ip();
const ResourceType& systemd();
const ResourceType& command_resource();

const MonitorType& command_monitor();
const MonitorType& ftp();
const MonitorType& http();
const MonitorType& https();
const MonitorType& imap();
const MonitorType& nic_link();
const MonitorType& ping();
const MonitorType& process();
const MonitorType& redis();
const MonitorType& smtp();
const MonitorType& systemd_unit();
const MonitorType& tcp();

const FencerType& agent();

}  // namespace komainu::drivers
