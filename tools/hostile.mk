.PHONY: hostile
hostile: all ## services that attack the system while programs work (SECONDS=60 SEED=N)
	@B=$(B) tools/hostile --seconds $(or $(SECONDS),60) $(if $(SEED),--seed $(SEED))
