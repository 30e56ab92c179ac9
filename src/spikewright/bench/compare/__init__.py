"""Methods side by side: what accuracy each of them buys, free and at the same energy."""
