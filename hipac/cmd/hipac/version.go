package main

// The command version, and the flag --version.

import (
	"fmt"
	"io"
	"runtime/debug"

	"github.com/alecthomas/kong"
)

type versionCmd struct{}

// Run prints the version.
func (versionCmd) Run(a *app) error { return printVersion(a.stdout) }

// versionFlag is the flag --version, which does what the command does.
type versionFlag bool

// BeforeReset runs before the rest of the command line is looked at, as for
// --help.
func (versionFlag) BeforeReset(k *kong.Kong) error {
	if err := printVersion(k.Stdout); err != nil {
		return err
	}
	k.Exit(exitOK)
	return nil
}

// printVersion prints the module's version, the commit it was built from and
// the toolchain, as far as the build recorded them.
func printVersion(out io.Writer) error {
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
	_, err := fmt.Fprintf(out, "hipac %s%s%s\n", version, commit, toolchain)
	return err
}
