package connections

// Items that are none: what may have been meant.

import (
	"fmt"
	"slices"
	"strings"
)

// forms are the forms of all items, with words that people write for them.
var forms = []struct{ form, words string }{
	{`"500 bytes one way"`, "bytes byte send sends client request question says upload way up"},
	{`"10k back"`, "bytes byte server response reply answer download back down"},
	{`"172 bytes both ways every 20ms for 5s"`, "both ways every stream"},
	{`"think 20ms"`, "think time pause wait sleep idle"},
	{`"5-10 times (100 bytes one way, 200 back)"`, "times repeat repeats loop"},
	{`"handshake"`, "handshake handshakes syn"},
	{`"no handshake"`, "no handshake"},
	{`"half open"`, "half open syn"},
	{`"half open with reset"`, "half open"},
	{`"teardown by client"`, "teardown teardowns close closes fin end ends"},
	{`"teardown by server"`, "teardown teardowns close closes fin end ends"},
	{`"teardown by reset"`, "teardown teardowns reset resets rst"},
	{`"no teardown"`, "teardown teardowns no"},
	{`"port 80 443 8000-8100"`, "port ports dport"},
	{`"source port 1024-65535"`, "source sport sports ports src"},
	{`"packets of 160 bytes"`, "packet packets size sizes mss"},
	{`"payload http"`, "payload payloads content data"},
	{`"refused 90%"`, "refused refuse closed reject rejected"},
	{`"silent 5%"`, "silent filtered dropped unanswered"},
	{`"unreachable 1%"`, "unreachable icmp host"},
	{`"time exceeded 1%"`, "exceeded ttl loop"},
	{`"reset 2%"`, "reset resets rst abort aborted"},
	{`"loss 1%"`, "loss lost drop drops lose"},
	{`"fragments 10% of 576 bytes"`, "fragment fragments fragmented fragmentation"},
	{`"path mtu 1400 in 10%"`, "mtu path pmtu narrow"},
	{`"rtt 20ms"`, "rtt delay latency ping round trip"},
	{`"speed 100 mbit"`, "speed rate bandwidth kbit mbit gbit bit"},
	{`"window 10 packets"`, "window cwnd flight"},
	{`"tries 5"`, "tries try retries retry retransmissions retransmission"},
	{`"timeout 1s"`, "timeout timeouts rto"},
}

// unknownError is about an item that is none.
type unknownError struct{ error }

// unknownItem returns the error about an item that is none. It has the forms that
// share a word with it, and where there are none all.
func unknownItem(text string) error {
	var near, all []string
	words := strings.FieldsFunc(strings.ToLower(text), func(r rune) bool { return (r < 'a' || r > 'z') })
	for _, f := range forms {
		all = append(all, f.form)
		if slices.ContainsFunc(strings.Fields(f.words), func(w string) bool { return slices.Contains(words, w) }) {
			near = append(near, f.form)
		}
	}
	if near != nil {
		return unknownError{fmt.Errorf("%q is unknown; near it: %s", clip(text), strings.Join(near, ", "))}
	}
	return unknownError{fmt.Errorf("%q is unknown; items are like %s", clip(text), strings.Join(all, ", "))}
}
