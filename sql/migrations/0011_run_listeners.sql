-- Why: listeners of a project's plugins hear of its runs, as callbacks are made.
-- Locks: callbacks for a moment, to replace a check that every row fulfils.  Compatibility: additive; a server of the version before leaves such a callback undone.
alter table callbacks drop constraint callbacks_kind_check, add constraint callbacks_kind_check check (kind in ('dag', 'task', 'email', 'deadline', 'listener'));
