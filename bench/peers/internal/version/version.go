// Package version tells the versions of the modules that the program was built of.
package version

import "runtime/debug"

// Of returns the version of a module, or "" when the program does not say, as in
// tests of other packages.
func Of(module string) string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return ""
	}
	for _, m := range info.Deps {
		if m.Path == module {
			return m.Version
		}
	}
	return ""
}
