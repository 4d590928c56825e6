.PHONY: hostile
hostile: all ## services that attack the system while programs work (SECONDS=60 SEED=N)
	@B=$(B) tools/hostile --seconds $(or $(SECONDS),60) $(if $(SEED),--seed $(SEED))

.PHONY: torture
torture: all ## everybody dies by storm and fuse, under work that is checked, for an hour (SECONDS=3600 SEED=N)
	@B=$(B) tools/torture --seconds $(or $(SECONDS),3600) $(if $(SEED),--seed $(SEED))
