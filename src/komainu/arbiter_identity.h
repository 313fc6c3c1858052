// What the nodes of a cluster show to their arbiter, corosync-qnetd: a key of the cluster's own and a
// certificate for it that the arbiter's authority has signed, in the database that corosync-qdevice(8) reads.
// The key never leaves the nodes; what goes to the arbiter and comes back from it is public.
#pragma once

#include <string>

#include "base/result.h"

namespace komainu::cli {

// All as PEM.
struct ArbiterIdentity {
  std::string authority;    // the arbiter's, which signs both its own certificate and the cluster's
  std::string certificate;  // its common name is the cluster's: qnetd checks that
  std::string key;
};

Result<std::string> new_arbiter_key();
// What the arbiter signs: PKCS #10, DER.
Result<std::string> arbiter_request(const std::string& key, const std::string& cluster);
// A certificate as the arbiter's tools write it: DER, or PEM after any other text.
Result<std::string> certificate_pem(const std::string& bytes, const std::string& file);

// Do the three belong together, and to this cluster?
Result<void> check(const ArbiterIdentity& identity, const std::string& cluster);

// Makes the NSS database anew, for root alone. Needs certutil(1) and pk12util(1), which come with
// corosync-qdevice.
Result<void> write_nss_database(const ArbiterIdentity& identity, const std::string& folder);

}  // namespace komainu::cli
