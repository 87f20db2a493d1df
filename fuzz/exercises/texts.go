package exercises

// Texts of rules in all formats, as they are printed, and damaged.

import (
	"bytes"
	"context"
	"fmt"
	"math/rand/v2"
	"strings"

	"github.com/hipac-go/classifier/bench/workload"
	"github.com/hipac-go/classifier/fuzz/cases"
	"github.com/hipac-go/classifier/fuzz/drive"
	"github.com/hipac-go/classifier/rules/iptables"
	"github.com/hipac-go/classifier/rules/native"
)

func texts() (all []*drive.Exercise) {
	for _, format := range cases.Formats() {
		all = append(all, &drive.Exercise{Name: "text: " + format, Group: "formats", Weight: 0.8,
			Points: []string{"text: " + format + ", damaged and taken", "text: " + format + ", damaged and refused"},
			Run: func(ctx context.Context, t *drive.Trial) error {
				text, err := drawText(t, format)
				if err != nil {
					return err
				}
				if err := checkText(t, format, text, false); err != nil {
					return err
				}
				for range 12 {
					if err := ctx.Err(); err != nil {
						return err
					}
					if err := checkText(t, format, damaged(t.Rand, text), true); err != nil {
						return err
					}
				}
				return nil
			}})
	}
	return all
}

func checkText(t *drive.Trial, format, text string, bad bool) error {
	n, err := cases.CheckText(format, text)
	t.Counts.Rules += int64(n)
	switch {
	case err != nil:
		return &drive.Failure{Err: fmt.Errorf("%s: %w", format, err), Case: &cases.Text{Format: format, Text: text}}
	case n == 0 && bad:
		t.Reach("text: " + format + ", damaged and refused")
	case bad:
		t.Reach("text: " + format + ", damaged and taken")
	case n == 0 && strings.Contains(text, "-A "):
		return &drive.Failure{Err: fmt.Errorf("%s: a good text is refused", format), Case: &cases.Text{Format: format, Text: text}}
	}
	return nil
}

// drawText prints rules in a format.
func drawText(t *drive.Trial, format string) (string, error) {
	var out bytes.Buffer
	switch format {
	case "native", "native JSON":
		l, err := randomList(t, &schemas[t.Rand.IntN(len(schemas))], size(t, 60))
		if err != nil {
			return "", err
		}
		write := native.Write
		if format != "native" {
			write = native.WriteJSON
		}
		err = write(&out, l)
		return out.String(), err
	case "classbench":
		families := workload.Families()
		set, err := workload.Make(workload.Config{Family: families[t.Rand.IntN(len(families))], Rules: 1 + size(t, 80), Seed: t.Rand.Uint64(), IPv6: t.Rand.IntN(4) == 0})
		if err != nil {
			return "", err
		}
		err = set.Write(&out, workload.FormatClassBench)
		return out.String(), err
	}
	text, err := drawIptables(t)
	if err != nil || format == "iptables" {
		return text, err
	}
	rs, err := iptables.Read(strings.NewReader(text), iptables.Options{})
	if err != nil {
		return "", err
	}
	err = iptables.WriteJSON(&out, rs, true)
	return out.String(), err
}

// drawIptables draws the text of tables.
func drawIptables(t *drive.Trial) (string, error) {
	var out bytes.Buffer
	r := t.Rand
	if r.IntN(3) == 0 {
		kinds := []string{workload.KindChains, workload.KindKubeProxy, "fw1", "acl2", workload.KindFirewall}
		c := workload.Config{Family: kinds[r.IntN(len(kinds))], Rules: 30 + r.IntN(40), Seed: r.Uint64(), IPv6: r.IntN(4) == 0}
		set, err := workload.Make(c)
		if err != nil {
			return "", err
		}
		if err = set.Write(&out, workload.FormatIptables); err == nil {
			return out.String(), nil
		}
		out.Reset() // both families in one set
	}
	text := "*filter\n:INPUT ACCEPT [0:0]\n:FORWARD DROP [3:180]\n:OUTPUT ACCEPT [0:0]\n:a - [0:0]\n:b - [0:0]\n"
	for range r.IntN(25) {
		chain := []string{"INPUT", "FORWARD", "OUTPUT", "a"}[r.IntN(4)]
		rule := "-A " + chain
		for range r.IntN(4) {
			rule += " " + optionWords[r.IntN(len(optionWords))]
		}
		if r.IntN(2) == 0 {
			rule += " " + protocolWords[r.IntN(len(protocolWords))]
		}
		targets := append([]string{"-j a", "-j b"}, verdictWords...)
		if chain == "a" {
			targets = append([]string{"-g b", "-j RETURN", "-j b"}, verdictWords...)
		}
		rule += " " + targets[r.IntN(len(targets))] + "\n"
		// Options that stand twice, or in chains where they cannot be, are refused.
		if _, err := iptables.Read(strings.NewReader(text+rule+"COMMIT\n"), iptables.Options{}); err == nil {
			text += rule
		}
	}
	return text + "COMMIT\n", nil
}

var (
	optionWords = []string{
		"-s 10.0.0.0/8", "! -s 192.0.2.7/32", "-d 198.51.100.0/24", "-s 10.1.2.3/255.255.0.255", "-i eth0", "! -i ppp+", "-o lan1", "-f", "! -f",
		"-m conntrack --ctstate NEW,RELATED", "-m state --state ESTABLISHED", "-m mark --mark 0x1/0xff", "-m mark ! --mark 0x7", "-m ttl --ttl-lt 5",
		"-m dscp --dscp 0x2e", "-m tos --tos 0x10/0x3f", "-m length --length 40:100", "-m pkttype --pkt-type multicast", "-m comment --comment \"a b\"",
		"-m iprange --src-range 10.0.0.1-10.0.0.9", "-m limit --limit 5/min --limit-burst 3", "-m mac --mac-source 02:00:00:00:00:01",
		"-m addrtype --dst-type LOCAL", "-m statistic --mode nth --every 3 --packet 1", "-m recent --name r --set --rsource", "-m u32 --u32 \"6&0xff=0x11\"",
		"-m string --string \"abc\" --algo bm", "-m connmark --mark 0x10", "-m helper --helper ftp", "-m time --timestart 09:00 --timestop 17:00 --weekdays Mon,Fri",
		"-m connlimit --connlimit-above 3", "-m hashlimit --hashlimit-upto 10/sec --hashlimit-mode srcip --hashlimit-name h", "-m owner --uid-owner 0",
	}
	protocolWords = []string{
		"-p tcp", "-p udp", "! -p tcp", "-p 50", "-p tcp -m tcp --dport 80", "-p tcp -m tcp --sport 1024:65535 --dport 22", "-p tcp -m tcp ! --dport 443",
		"-p tcp -m tcp --tcp-flags SYN,ACK SYN", "-p tcp -m tcp --tcp-option 2", "-p udp -m udp --dport 53", "-p udp -m multiport --dports 53,67:68",
		"-p tcp -m multiport ! --sports 80,443", "-p icmp -m icmp --icmp-type 8", "-p icmp -m icmp --icmp-type 3/1", "-p sctp -m sctp --dport 5000",
		"-p esp -m esp --espspi 100:200", "-p tcp -m tcpmss --mss 100:1000", "-p dccp -m dccp --dport 5",
	}
	verdictWords = []string{"-j ACCEPT", "-j DROP", "-j REJECT --reject-with icmp-port-unreachable", "-j LOG --log-prefix \"x \"",
		"-j NFQUEUE --queue-num 3", "-j NFLOG --nflog-group 2", ""}
)

const marks = " \n\t,:/-!=\"{}[]0123456789abcx#\\"

// damaged changes a text: bytes, words, lines.
func damaged(r *rand.Rand, text string) string {
	b := []byte(text)
	for range 1 + r.IntN(4) {
		if len(b) == 0 {
			break
		}
		at := r.IntN(len(b))
		switch r.IntN(8) {
		case 0:
			b[at] = byte(r.IntN(256))
		case 1:
			b[at] = marks[r.IntN(len(marks))]
		case 2:
			b = append(b[:at], b[min(len(b), at+1+r.IntN(8)):]...)
		case 3: // a piece twice
			end := min(len(b), at+1+r.IntN(40))
			piece := append([]byte(nil), b[at:end]...)
			b = append(b[:end], append(piece, b[end:]...)...)
		case 4, 5: // a word of elsewhere
			words := strings.Fields(string(b))
			if len(words) > 0 {
				from, to := words[r.IntN(len(words))], words[r.IntN(len(words))]
				b = []byte(strings.Replace(string(b), from, to, 1))
			}
		case 6: // lines change places
			lines := strings.SplitAfter(string(b), "\n")
			i, j := r.IntN(len(lines)), r.IntN(len(lines))
			lines[i], lines[j] = lines[j], lines[i]
			b = []byte(strings.Join(lines, ""))
		case 7:
			b[at] ^= 1 << r.IntN(8)
		}
	}
	return string(b)
}
