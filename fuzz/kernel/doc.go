// Package kernel compares our answers with the running kernel's: rules are
// loaded in a network namespace of the test's own, packets are written to a
// TUN device in it, and the kernel's counters of every rule must be the ones
// that we predict. Lengths differ from packet to packet, so that packet and
// byte counters together say nearly for every packet which rules it met.
//
// The tests need root, /dev/net/tun and the legacy iptables tools, and are
// skipped with the reason where there are none.
package kernel
