// Package report draws results of measurements: one HTML page that needs nothing
// beside itself, and its plots as SVG and PNG files.
//
// The page is made to be printed and to be read by people who see few colours:
// text is black on white, nothing waits for a mouse, lines differ in colour, in
// dashes and in markers and carry their names, and every figure stands in a table
// as well. An engine looks the same in all plots. The same results give the same
// bytes.
//
// Plots are drawn with gonum.org/v1/plot.
package report

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/hipac-go/classifier/bench/result"
)

// Options says what is drawn.
type Options struct {
	// Plots are the names of the plots that are written, see Names; nil is all of
	// them and the page.
	Plots []string
	// Sets are the rule sets that are drawn; nil is all.
	Sets []string
	// Command is the command that draws the page again, for the page; "" leaves it
	// out.
	Command string

	noPNG bool // for tests
}

// PageFile is the name of the page.
const PageFile = "index.html"

// Names returns the names of all plots, in the order of the page.
func Names() []string {
	var names []string
	for _, k := range kinds {
		names = append(names, k.name)
	}
	return names
}

// Write draws the runs into a folder, which is made when there is none, and
// returns the names of the files in it that it has written: PageFile, NAME.svg
// and NAME.png. Plots of which nothing was measured are left out; an error says
// so when that leaves none. Runs must be of one machine.
//
// A file appears under its name when it is whole.
func Write(dir string, runs []*result.Run, o Options) ([]string, error) {
	out, err := Render(runs, o)
	if err != nil {
		return nil, err
	}
	if err := os.MkdirAll(dir, 0o777); err != nil {
		return nil, err
	}
	var names []string
	for _, f := range out {
		if err := put(filepath.Join(dir, f.Name), f.Data); err != nil {
			return names, err
		}
		names = append(names, f.Name)
	}
	return names, nil
}

// File is a file of the report.
type File struct {
	Name string
	Data []byte
}

// Render returns the files that Write writes, the page last.
func Render(runs []*result.Run, o Options) ([]File, error) {
	for _, name := range o.Plots {
		if !slices.Contains(Names(), name) {
			return nil, fmt.Errorf("there is no plot %q; there are %s", name, strings.Join(Names(), ", "))
		}
	}
	d, err := merge(runs, o.Sets)
	if err != nil {
		return nil, err
	}
	var out []File
	var figures []*figure
	for i := range kinds {
		k := &kinds[i]
		if o.Plots != nil && !slices.Contains(o.Plots, k.name) {
			continue
		}
		f := k.figure(d)
		if f == nil {
			continue
		}
		figures = append(figures, f)
		if f.chart == nil {
			continue
		}
		p := picture{f.chart}
		svg, err := p.svg()
		if err != nil {
			return nil, fmt.Errorf("plot %s: %w", k.name, err)
		}
		out = append(out, File{k.name + ".svg", svg})
		if o.noPNG {
			continue
		}
		png, err := p.png()
		if err != nil {
			return nil, fmt.Errorf("plot %s: %w", k.name, err)
		}
		out = append(out, File{k.name + ".png", png})
	}
	if o.Plots == nil {
		var b bytes.Buffer
		if err := page(&b, d, figures, o); err != nil {
			return nil, err
		}
		return append(out, File{PageFile, b.Bytes()}), nil
	}
	if len(out) == 0 {
		return nil, errors.New("nothing of what is to be drawn was measured")
	}
	return out, nil
}

// put writes a file beside its name and renames it.
func put(path string, data []byte) error {
	f, err := os.CreateTemp(filepath.Dir(path), ".report.*")
	if err != nil {
		return err
	}
	_, err = f.Write(data)
	if e := f.Close(); err == nil {
		err = e
	}
	if err == nil {
		err = os.Chmod(f.Name(), 0o644)
	}
	if err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		os.Remove(f.Name())
	}
	return err
}
