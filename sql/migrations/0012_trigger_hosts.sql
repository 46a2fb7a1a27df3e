-- Why: a trigger that ends the process it runs in waits for ever, host after host; whoever asks why it waits is told how many there were.
-- Locks: triggers for a moment.  Compatibility: additive.
alter table triggers add column hosts int not null default 0;
