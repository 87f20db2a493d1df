package kernel

// The text of cases.

import (
	"bytes"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestACaseIsReadAsItWasWritten(t *testing.T) {
	c := &Case{Way: wayNFT, Family: 6, Seed: 1<<64 - 1, Program: "table inet\nchain PREROUTING DROP\nany => pass\n", Packets: [][]byte{{0x60, 1, 2}, {0xff}}}
	var b bytes.Buffer
	n, err := c.WriteTo(&b)
	require.NoError(t, err)
	require.EqualValues(t, b.Len(), n)
	read, err := ReadCase(strings.NewReader("# found by hand\n\n" + b.String()))
	require.NoError(t, err)
	require.Equal(t, c, read)
}

func TestABadCaseIsRefusedWithItsLine(t *testing.T) {
	for text, want := range map[string]string{
		"":                                "line 1: the case ends without a program",
		"way x\n":                         `line 1: "x" is no way; there are legacy, translated, nft`,
		"way nft\nfamily 5\n":             "line 2: 5 is no family; there are 4 and 6",
		"family four\n":                   "line 1: strconv.Atoi",
		"seed -1\n":                       "line 1: strconv.ParseUint",
		"packet 4\n":                      "line 1: encoding/hex",
		"packet\n":                        "line 1: a packet without bytes",
		"fuzz 2 kernel\n":                 `line 1: "fuzz" is none of`,
		"way nft\nfamily 4\ntext\nany":    "line 3: a case has a way, a family and packets",
		"way nft\nfamily 4\npacket 45":    "line 3: the case ends without a program",
		"fuzz 1 kernel\nwords\n":          `line 2: "words" is none of: way, family, seed, packet, text`,
		"way nft\nfuzz 1 kernel\n":        "line 2:",
		"packet 45\ntext\n*raw\nCOMMIT\n": "line 2: a case has a way",
	} {
		_, err := ReadCase(strings.NewReader(text))
		require.ErrorContains(t, err, want, text)
	}
}
