# The main jobs, with their report, and longer campaigns.
.PHONY: demo
demo: all ## move SIZE MB while drivers die: JOB=net|disk|all, NIC=e1000|e1000e|rtl8139|virtio, DISK=ahci|virtio|nvme|ide, VICTIM=driver|rs|ds|vm|pm|vfs|ram|net|disk|ext4|all (each in turn), OPS="raw read write" of the disk job, KILL="1 2 4 8 15" seconds; ACCEL=tcg|kvm
	@B=$(B) JOB='$(JOB)' SIZE='$(SIZE)' KILL='$(KILL)' NIC='$(NIC)' DISK='$(DISK)' VICTIM='$(VICTIM)' ACCEL='$(ACCEL)' VERIFY='$(VERIFY)' OPS='$(OPS)' tools/demo

.PHONY: damage
damage: all ## mount and use IMAGES (500) damaged ext4 images in the booted system; SEED=1
	@B=$(B) tools/damage --images $(or $(IMAGES),500) --seed $(or $(SEED),1)
