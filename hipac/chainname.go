package hipac

// Names that chains may be given: those that iptables takes for user chains, so
// that tables can be written as files.

import (
	"fmt"
	"slices"
	"strings"
)

// maxChainName is how many bytes the name of a chain has at most.
const maxChainName = 28

// targetNames are the names of targets and verdicts, which chains cannot have.
var targetNames = strings.Fields(`ACCEPT AUDIT CHECKSUM CLASSIFY CLUSTERIP CONNMARK
	CONNSECMARK CT DNAT DNPT DROP DSCP ECN HL HMARK IDLETIMER LED LOG MARK MASQUERADE
	NETMAP NFLOG NFQUEUE NOTRACK QUEUE RATEEST REDIRECT REJECT RETURN SAME SECMARK SET
	SNAT SNPT SYNPROXY TCPMSS TCPOPTSTRIP TEE TOS TPROXY TRACE TTL ULOG`)

// checkChainName says why a chain cannot be given a name.
func checkChainName(name string) error {
	switch {
	case name == "":
		return fmt.Errorf("%q is no name for a chain: it is empty", name)
	case len(name) > maxChainName:
		return fmt.Errorf("%.40q is no name for a chain: it has %d bytes, at most %d", name, len(name), maxChainName)
	case strings.ContainsFunc(name, func(r rune) bool { return r <= ' ' || r == '"' || r == 0x7f }):
		return fmt.Errorf("%q is no name for a chain: it has white space, a quote or a control character", name)
	case name[0] == '-' || name[0] == '!':
		return fmt.Errorf("%q is no name for a chain: it begins with %c", name, name[0])
	case slices.Contains(targetNames, name):
		return fmt.Errorf("%q is no name for a chain: it is that of a target", name)
	}
	return nil
}
