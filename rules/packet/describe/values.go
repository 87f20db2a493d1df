package describe

// Values of words that are more than a number.

import (
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"strconv"
	"strings"

	"github.com/hipac-go/classifier/rules"
)

// isFlags reports whether a word is a list of TCP flags.
func isFlags(word string) bool {
	var s spec
	return word != "none" && s.setFlags(word) == nil
}

func (s *spec) setFlags(v string) error {
	s.hasFlags = true
	if v == "" {
		return fmt.Errorf("no flags")
	}
	return setSymbols(v, &s.flags, rules.TCPFlags)
}

func flagNames(flags uint8) string { return symbolText(uint64(flags), rules.TCPFlags) }

// icmpTypes are names of types: ICMP, ICMPv6; -1 where there is none.
var icmpTypes = map[string][2]int{
	"echo-request": {8, 128}, "echo-reply": {0, 129}, "destination-unreachable": {3, 1}, "time-exceeded": {11, 3}, "parameter-problem": {12, 4},
	"redirect": {5, 137}, "packet-too-big": {-1, 2}, "source-quench": {4, -1}, "timestamp-request": {13, -1}, "timestamp-reply": {14, -1},
	"router-solicitation": {10, 133}, "router-advertisement": {9, 134}, "neighbour-solicitation": {-1, 135}, "neighbour-advertisement": {-1, 136},
}

func (s *spec) setType(v string) error {
	s.hasType = true
	if pair, ok := icmpTypes[strings.ToLower(v)]; ok {
		n := pair[0]
		if s.dst.Is6() {
			n = pair[1]
		}
		if n < 0 {
			return fmt.Errorf("not a type of this family")
		}
		s.icmpType = uint8(n)
		return nil
	}
	if err := setBits(v, &s.icmpType, 8); err != nil {
		return fmt.Errorf("%w, and no name of a type such as echo-request, destination-unreachable, time-exceeded", err)
	}
	return nil
}

func (s *spec) setDSCP(v string) error {
	var n uint8
	name := strings.ToUpper(v)
	switch {
	case name == "EF":
		n = 46
	case len(name) == 3 && name[:2] == "CS" && name[2] >= '0' && name[2] <= '7':
		n = 8 * (name[2] - '0')
	case len(name) == 4 && name[:2] == "AF" && name[2] >= '1' && name[2] <= '4' && name[3] >= '1' && name[3] <= '3':
		n = 8*(name[2]-'0') + 2*(name[3]-'0')
	default:
		if err := setBits(v, &n, 6); err != nil {
			return fmt.Errorf("%w, and no class CS0-CS7, AF11-AF43 or EF", err)
		}
	}
	s.tos = s.tos&3 | n<<2
	return nil
}

func (s *spec) setFrag(v string) error {
	if v == "" {
		s.offset = laterOffset
		return nil
	}
	var n uint16
	if err := setBits(v, &n, 16); err != nil || n%8 != 0 {
		return fmt.Errorf("not a multiple of 8 in 0..65528")
	}
	s.offset = n / 8
	return nil
}

func (s *spec) setPktType(v string) error {
	f := rules.Field{Name: "pkttype", Bits: 3, Kind: rules.Enum, Symbols: rules.PacketTypes}
	x, err := f.ParseValue(v)
	if err != nil {
		return fmt.Errorf("not one of unicast, broadcast, multicast")
	}
	s.pktType, s.hasPktType = uint8(x.Lo), true
	return nil
}

func (s *spec) setOwner(v string, to *uint32, has *bool) error {
	*has = true
	if v == "none" {
		s.owner.Exists = false
		s.hasUID = true
		return nil
	}
	s.owner.Exists, s.owner.File = true, true
	return setBits(v, to, 32)
}

func (s *spec) setPort(v string, to *string) error {
	if s.bridge = true; v == "none" {
		return nil
	}
	return setName(v, to)
}

// maxOptions is the room for options in a TCP header.
const maxOptions = 40

// setOptions reads TCP options: mss:1460,sackok,wscale:7,nop,253:beef.
func (s *spec) setOptions(v string) error {
	var out []byte
	for _, item := range strings.Split(v, ",") {
		name, value, has := strings.Cut(item, ":")
		option := func(kind byte, bits int) error {
			n, err := strconv.ParseUint(value, 0, bits)
			if err != nil {
				return fmt.Errorf("%s needs a number of %d bits: %s:N", name, bits, name)
			}
			b := binary.BigEndian.AppendUint64(nil, n)
			out = append(out, kind, byte(2+bits/8))
			out = append(out, b[8-bits/8:]...)
			return nil
		}
		var err error
		switch {
		case name == "mss":
			err = option(2, 16)
		case name == "wscale":
			err = option(3, 8)
		case name == "sackok" && !has:
			out = append(out, 4, 2)
		case name == "timestamp" && !has:
			out = append(out, 8, 10, 0, 0, 0, 0, 0, 0, 0, 0)
		case name == "nop" && !has:
			out = append(out, 1)
		default:
			var kind uint8
			data, bad := hex.DecodeString(value)
			if setBits(name, &kind, 8) != nil || bad != nil || kind < 2 || len(data) > maxOptions {
				return fmt.Errorf("%q is no option: mss:N, wscale:N, sackok, timestamp, nop, or KIND:HEX with a kind in 2..255", item)
			}
			out = append(out, kind, byte(2+len(data)))
			out = append(out, data...)
		}
		if err != nil {
			return err
		}
	}
	for len(out)%4 != 0 {
		out = append(out, 0)
	}
	if len(out) > maxOptions {
		return fmt.Errorf("options of %d bytes; a TCP header has room for %d", len(out), maxOptions)
	}
	s.options, s.optionText = out, v
	return nil
}
