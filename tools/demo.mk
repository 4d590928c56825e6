# The main job, with its report.
.PHONY: demo
demo: all ## fetch SIZE=512 MB over NIC=e1000 while its driver is killed every KILL="1 2 4 8 15" seconds; ACCEL=tcg|kvm
	@B=$(B) SIZE='$(SIZE)' KILL='$(KILL)' NIC='$(NIC)' ACCEL='$(ACCEL)' VERIFY='$(VERIFY)' tools/demo
