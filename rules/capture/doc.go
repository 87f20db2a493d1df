// Package capture reads packets from files, one key after the other and in
// constant memory: pcap and pcapng captures, and CSV files of flows with a
// header line. It also writes pcap and CSV files.
//
// It is for programs: the library packages do not import it, because writing
// needs github.com/gopacket/gopacket, which the library's users should not
// have to download.
//
// A [Source] gives the packets of any such file as keys of a schema:
//
//	in, err := capture.Open("traffic.pcapng", rules.Firewall, capture.Options{})
//	defer in.Close()
//	key := rules.Firewall.NewKey()
//	for {
//		info, err := in.Next(key)
//		var bad *capture.PacketError
//		switch {
//		case err == io.EOF:
//			return nil
//		case errors.As(err, &bad):
//			continue // this packet alone; the next one may be good
//		case err != nil:
//			return err
//		}
//		...
//	}
//
// Files may be hostile. No length in a file makes a reader allocate more than
// MaxPacket bytes, and a file that breaks its format is an error that says at
// which packet and byte.
package capture
