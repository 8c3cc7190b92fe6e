// At last: what the address says, then everything is drawn once.
recall();
listen();
update();
