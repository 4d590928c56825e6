# It says what `service` says: the same files are read by the same code.
dashboard_PROGRAM_NEEDS := $(patsubst %,programs/service/%.c,control files json links manifests recoveries rows) $(sort $(wildcard lib/manifest/*.c)) lib/rt/defect.c
# The page is a part of the program (page.c).
$(B)/programs/dashboard: $(wildcard programs/dashboard/page*) $(wildcard programs/service/*.h)
