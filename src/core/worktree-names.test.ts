// Names of one tree: what they may hold, that they stay apart, and how paths and placeholders are written.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { agentFolderOf, composeNameOf, databaseNameOf, fillIn, folderNameOf, ignoreLineOf, literalPattern, portVariableOf, unknownPlaceholders } from './worktree-names.ts';

describe('names of a working tree', () => {
  test('are made of what their programs take', () => {
    assert.equal(folderNameOf('feature/a/b'), 'feature-a-b');
    assert.equal(composeNameOf('Shop', 'feature/Fête 1', '3fa9c1'), 'shop-feature-fete-1-3fa9c1');
    assert.equal(composeNameOf('日本', '語', '3fa9c1'), 'tree-3fa9c1');
    assert.equal(databaseNameOf('2shop', 'feature/x', '3fa9c1'), 'shop_feature_x_3fa9c1');
    assert.equal(databaseNameOf('日本', '語', '3fa9c1'), 'tree_3fa9c1');
    for (const branch of ['x'.repeat(300), 'a/b', '-', '日', 'A__B']) {
      assert.match(composeNameOf('shop', branch, '3fa9c1'), /^[a-z0-9][a-z0-9_-]{0,62}$/);
      assert.match(databaseNameOf('shop', branch, '3fa9c1'), /^[a-z][a-z0-9_]{0,62}$/);
    }
    assert.notEqual(databaseNameOf('shop', 'a/b', '000001'), databaseNameOf('shop', 'a-b', '000002'));
    assert.equal(portVariableOf('admin-api'), 'PORT_ADMIN_API');
    assert.equal(agentFolderOf('/home/ada/shop.worktrees/x'), '-home-ada-shop-worktrees-x');
  });

  test('paths are written so that they match themselves only', () => {
    assert.equal(ignoreLineOf('a b/[x]*?'), '/a b/\\[x\\]\\*\\?');
    assert.equal(ignoreLineOf('trailing '), '/trailing\\ ');
    assert.equal(ignoreLineOf('back\\slash'), '/back\\\\slash');
    assert.equal(literalPattern('/a [1]/b*'), '/a \\[1\\]/b\\*');
  });

  test('placeholders are filled in, and those that nobody knows are told', () => {
    const values = { branch: 'x', 'ports.web': '20000' };
    assert.equal(fillIn('{{branch}} {{ ports.web }} {{other}} {single}', values), 'x 20000 {{other}} {single}');
    assert.deepEqual(unknownPlaceholders('{{branch}} {{other}} {{other}} {{constructor}}', values), ['other', 'constructor']);
  });
});
