package report

// How engines look: the same in all plots, by name, and in the same order.

import (
	"hash/fnv"
	"image/color"
	"slices"
	"strings"

	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
)

// group is where an engine comes from. Plots with many lines have a panel for
// each group, with ours in all of them.
type group int

const (
	ours group = iota
	textbook
	projects
	kernel
	numGroups
)

// groupTitles are the titles of panels of a group, and groupNames what the page
// calls the group.
var (
	groupTitles = [numGroups]string{"", "textbook rivals", "other projects", "the kernel"}
	groupNames  = [numGroups]string{"Ours", "Textbook rivals, written from their papers", "Other projects", "The kernel"}
)

// style is the look of an engine.
type style struct {
	rank   int // order in tables and keys
	group  group
	color  color.RGBA
	dashes []vg.Length
	shape  draw.GlyphDrawer
	width  vg.Length
}

// The palette of Okabe and Ito, which people with the common kinds of colour
// blindness can tell apart (M. Okabe, K. Ito: Color Universal Design, 2008),
// without its yellow, which is hard to see on white, with two darker shades and
// with greys.
var (
	orange     = color.RGBA{0xE6, 0x9F, 0x00, 0xFF}
	skyBlue    = color.RGBA{0x56, 0xB4, 0xE9, 0xFF}
	green      = color.RGBA{0x00, 0x9E, 0x73, 0xFF}
	blue       = color.RGBA{0x00, 0x72, 0xB2, 0xFF}
	vermillion = color.RGBA{0xD5, 0x5E, 0x00, 0xFF}
	purple     = color.RGBA{0xCC, 0x79, 0xA7, 0xFF}
	black      = color.RGBA{0x00, 0x00, 0x00, 0xFF}
	brown      = color.RGBA{0x7A, 0x2E, 0x00, 0xFF}
	plum       = color.RGBA{0x6E, 0x2C, 0x5E, 0xFF}
	grey       = color.RGBA{0x70, 0x70, 0x70, 0xFF}
	silver     = color.RGBA{0xA0, 0xA0, 0xA0, 0xFF} // lines that stand back
	pale       = color.RGBA{0xDD, 0xDD, 0xDD, 0xFF} // grids
	white      = color.RGBA{0xFF, 0xFF, 0xFF, 0xFF}
)

// Dashes, in points.
var (
	solid    []vg.Length
	dashed   = []vg.Length{6, 3}
	dotted   = []vg.Length{1.5, 2}
	dashDot  = []vg.Length{7, 2, 1.5, 2}
	shortish = []vg.Length{3, 2}
	longish  = []vg.Length{10, 3}
	twoDots  = []vg.Length{7, 2, 1.5, 2, 1.5, 2}
)

// Widths, in points: our lines are thicker, and variants of a rival that says
// the same with another line are fainter.
const (
	thick = vg.Length(2)
	thin  = vg.Length(0.9)
	faint = vg.Length(0.7)
)

// looks are the engines that are known, in their order: ours, as engines and as
// paths of a lookup, the textbook ones, those of other projects, the kernel's.
// Where two of them can stand in one panel, colour and marker differ both, but
// for the colour of faint ones.
var looks = []struct {
	name string
	style
}{
	{"hipac", style{0, ours, vermillion, solid, circle, thick}},
	{"hipac-batch", style{0, ours, brown, dashed, box, thick}},
	{"hipac-live", style{0, ours, orange, dotted, pyramid, thick}},
	{"hipac-index", style{0, ours, silver, dashDot, saltire, thin}},
	{"tree", style{0, ours, vermillion, solid, circle, thick}},
	{"tree-go", style{0, ours, brown, dashed, box, thick}},
	{"tree-avx512", style{0, ours, orange, shortish, pyramid, thick}},
	{"index", style{0, ours, silver, dashDot, saltire, thin}},

	{"linear", style{0, textbook, black, solid, plus, thin}},
	{"tuplespace", style{0, textbook, skyBlue, dashed, square, thin}},
	{"tuplemerge", style{0, textbook, blue, solid, diamond{}, thin}},
	{"partitionsort", style{0, textbook, green, dashDot, triangle, thin}},
	{"bitvector", style{0, textbook, purple, dotted, ring, thin}},
	{"abv", style{0, textbook, plum, longish, cross, thin}},
	{"dimtree", style{0, textbook, grey, twoDots, star{}, thin}},

	{"dpdk-acl-avx512x32", style{0, projects, blue, solid, diamond{}, thin}},
	{"dpdk-acl-avx512x16", style{0, projects, silver, dashed, lozenge{}, faint}},
	{"dpdk-acl-avx2", style{0, projects, skyBlue, dashed, square, thin}},
	{"dpdk-acl-sse", style{0, projects, silver, dashDot, star{}, faint}},
	{"dpdk-acl-scalar", style{0, projects, silver, dotted, funnel{}, faint}},
	{"dpdk-acl-single", style{0, projects, black, dotted, cross, thin}},
	{"tailscale", style{0, projects, green, dashDot, triangle, thin}},
	{"gvisor", style{0, projects, purple, solid, plus, thin}},
	{"nebula", style{0, projects, plum, longish, ring, thin}},
	{"bart", style{0, projects, grey, twoDots, wedge{}, thin}},

	{"iptables-legacy", style{0, kernel, black, solid, plus, thin}},
	{"iptables-nft", style{0, kernel, blue, dashed, square, thin}},
	{"nft", style{0, kernel, green, dashDot, triangle, thin}},
	{"nft-set", style{0, kernel, purple, dotted, ring, thin}},
}

// many reports whether an engine is given many packets at a time.
func many(engine string) bool {
	return engine == "hipac-batch" || strings.HasPrefix(engine, "dpdk-acl-") && engine != "dpdk-acl-single"
}

// look returns the look of an engine. Names that are not known get one from
// their letters, behind those that are.
func look(name string) style {
	for i := range looks {
		if looks[i].name == name {
			s := looks[i].style
			s.rank = i
			return s
		}
	}
	if strings.HasPrefix(name, "dpdk-acl (") { // its ways together
		return look(dpdk + "avx512x32")
	}
	h := fnv.New32a()
	h.Write([]byte(name))
	n := h.Sum32()
	s := style{rank: len(looks), group: projects, width: thin}
	if strings.HasPrefix(name, "hipac") {
		s.group, s.width, s.rank = ours, thick, 7 // with ours
	}
	s.color = []color.RGBA{orange, skyBlue, green, blue, purple, black, grey}[n%7]
	if s.group == ours {
		s.color = vermillion
	}
	s.dashes = [][]vg.Length{solid, dashed, dotted, dashDot, shortish}[n/7%5]
	s.shape = []draw.GlyphDrawer{circle, ring, square, box, triangle, pyramid, plus, cross}[n/35%8]
	return s
}

// byLook compares the names of engines by their order in plots and tables.
func byLook(a, b string) int {
	if d := look(a).rank - look(b).rank; d != 0 {
		return d
	}
	return strings.Compare(a, b)
}

// ordered sorts names of engines and takes out those that are there twice.
func ordered(names []string) []string {
	slices.SortFunc(names, byLook)
	return slices.Compact(names)
}
