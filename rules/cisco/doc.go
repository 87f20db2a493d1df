// Package cisco reads the IPv4 access lists of Cisco IOS: from a configuration as
// `show running-config` prints it.
//
// So far: named and numbered extended lists of permit and deny with a protocol,
// addresses with wildcard masks and the port operator eq with numbers. Everything
// else is refused.
package cisco
