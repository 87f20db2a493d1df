package main

// The command version.

import (
	"fmt"
	"runtime/debug"
)

type versionCmd struct{}

// Run prints the module's version, the commit it was built from and the
// toolchain, as far as the build recorded them.
func (versionCmd) Run(a *app) error {
	version, commit, toolchain := "(unknown)", "", ""
	if info, ok := debug.ReadBuildInfo(); ok {
		toolchain = " " + info.GoVersion
		if info.Main.Version != "" {
			version = info.Main.Version
		}
		modified := ""
		for _, s := range info.Settings {
			switch {
			case s.Key == "vcs.revision":
				commit = " " + s.Value[:min(len(s.Value), 12)]
			case s.Key == "vcs.modified" && s.Value == "true":
				modified = "+changes"
			}
		}
		commit += modified
	}
	_, err := fmt.Fprintf(a.stdout, "hipac %s%s%s\n", version, commit, toolchain)
	return err
}
