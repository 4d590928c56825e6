# What it says of manifests is what RS does: the same parser, the same arithmetic.
service_PROGRAM_NEEDS := $(sort $(wildcard lib/manifest/*.c)) servers/rs/policy.c servers/rs/ladder.c lib/rt/defect.c
