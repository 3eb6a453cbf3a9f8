"""The SQL of each movement: one statement that moves the account and writes the entry.

All begin with the account's row. Its conditions are checked again on the newest version of the row once the lock
is had; what they read from *other* rows is as old as the statement. So a movement that was written while the
statement waited is seen only by the entry's unique keys: the entry is then not written, the statement answers
no entry id, and `RESTORE`, in the same transaction, puts the account back to what its newest entry says.
"""

OPEN = """
INSERT INTO credits_account (owner_id, balance, held, receivable, spent, moved_at)
VALUES (%(owner)s, 0, 0, 0, 0, app_now())
ON CONFLICT (owner_id) DO NOTHING
"""

SPENT_BEFORE_TODAY = """
SELECT spent_after FROM credits_entry
WHERE owner_id = %(owner)s AND created_at < date_trunc('day', app_now(), 'UTC')
ORDER BY created_at DESC, id DESC LIMIT 1
"""

_WITHIN_DAY = f"""(%(daily_limit)s::bigint IS NULL
        OR spent + %(amount)s - coalesce(({SPENT_BEFORE_TODAY}), 0) <= %(daily_limit)s::bigint)"""

HOLD = f"""
WITH account AS (
    UPDATE credits_account
    SET balance = balance - %(amount)s, held = held + %(amount)s, spent = spent + %(amount)s,
        moved_at = GREATEST(moved_at, app_now())
    WHERE owner_id = %(owner)s AND receivable = 0 AND balance >= %(amount)s AND {_WITHIN_DAY}
        AND NOT EXISTS (SELECT FROM credits_entry WHERE owner_id = %(owner)s AND key = %(key)s)
    RETURNING balance, held, spent, moved_at
), entry AS (
    INSERT INTO credits_entry (owner_id, key, kind, amount, held_amount, balance_after, held_after, spent_after,
        hold_id, subject_id, note, rate_card_ids, breakdown, created_at)
    SELECT %(owner)s, %(key)s, 'hold', -%(amount)s, %(amount)s, balance, held, spent,
        %(hold)s, %(subject)s, '', %(rate_cards)s::bigint[], %(breakdown)s::jsonb, moved_at
    FROM account
    ON CONFLICT DO NOTHING
    RETURNING id, created_at
), hold AS (
    INSERT INTO credits_hold (id, owner_id, subject_id, state, amount, captured, refunded, created_at)
    SELECT %(hold)s, %(owner)s, %(subject)s, 'open', %(amount)s, 0, 0, created_at FROM entry
)
SELECT balance, held, entry.id FROM account LEFT JOIN entry ON true
"""

# The account, and the entry of the hold that was asked for, if an earlier request wrote it.
WHY_NOT_HELD = """
SELECT coalesce(a.balance, 0), coalesce(a.receivable, 0), coalesce(a.spent, 0),
    e.kind, e.subject_id, e.held_amount, e.hold_id, e.balance_after, e.held_after
FROM (SELECT) one
    LEFT JOIN credits_account a ON a.owner_id = %(owner)s
    LEFT JOIN credits_entry e ON e.owner_id = %(owner)s AND e.key = %(key)s
"""

HOLD_GROUP = f"""
WITH part AS (
    SELECT n, hold_id, amount, subject_id, rate_card_ids, breakdown, sum(amount) OVER (ORDER BY n) AS sum_so_far
    FROM ROWS FROM (json_to_recordset(%(parts)s) AS
        (hold_id uuid, amount bigint, subject_id uuid, rate_card_ids bigint[], breakdown jsonb))
        WITH ORDINALITY AS part (hold_id, amount, subject_id, rate_card_ids, breakdown, n)
), account AS (
    UPDATE credits_account
    SET balance = balance - %(amount)s, held = held + %(amount)s, spent = spent + %(amount)s,
        moved_at = GREATEST(moved_at, app_now())
    WHERE owner_id = %(owner)s AND receivable = 0 AND balance >= %(amount)s AND {_WITHIN_DAY}
        AND NOT EXISTS (SELECT FROM credits_holdgroup WHERE owner_id = %(owner)s AND key = %(key)s)
    RETURNING balance, held, spent, moved_at
), hold_group AS (
    INSERT INTO credits_holdgroup (id, owner_id, key, created_at)
    SELECT %(group)s, %(owner)s, %(key)s, moved_at FROM account
    ON CONFLICT DO NOTHING
    RETURNING id
), entry AS (
    INSERT INTO credits_entry (owner_id, key, kind, amount, held_amount, balance_after, held_after, spent_after,
        hold_id, subject_id, note, rate_card_ids, breakdown, created_at)
    SELECT %(owner)s, %(key)s || '/' || n, 'hold', -amount, amount,
        balance + %(amount)s - sum_so_far, held - %(amount)s + sum_so_far, spent - %(amount)s + sum_so_far,
        hold_id, subject_id, '', rate_card_ids, breakdown, moved_at
    FROM account, hold_group, part ORDER BY n
), hold AS (
    INSERT INTO credits_hold (id, owner_id, group_id, subject_id, state, amount, captured, refunded, created_at)
    SELECT hold_id, %(owner)s, hold_group.id, subject_id, 'open', amount, 0, 0, moved_at
    FROM account, hold_group, part
)
SELECT balance, held, hold_group.id FROM account LEFT JOIN hold_group ON true
"""

# `held >= h.amount` ends a second close of the last open hold here, before the entry's unique key would.
CLOSE = """
WITH account AS (
    UPDATE credits_account a
    SET balance = GREATEST(a.balance - a.receivable + h.amount - %(captured)s, 0),
        receivable = GREATEST(a.receivable - a.balance - h.amount + %(captured)s, 0),
        held = a.held - h.amount, spent = a.spent - h.amount + %(captured)s,
        moved_at = GREATEST(a.moved_at, app_now())
    FROM credits_hold h
    WHERE h.id = %(hold)s AND h.state = 'open' AND h.amount >= %(captured)s
        AND a.owner_id = h.owner_id AND a.held >= h.amount
    RETURNING a.owner_id, h.amount, h.subject_id, a.balance - a.receivable AS net, a.held, a.spent, a.moved_at
), entry AS (
    INSERT INTO credits_entry (owner_id, key, kind, amount, held_amount, balance_after, held_after, spent_after,
        hold_id, subject_id, note, rate_card_ids, breakdown, created_at)
    SELECT owner_id, 'close:' || %(hold)s, %(kind)s, amount - %(captured)s, -amount, net, held, spent,
        %(hold)s, subject_id, %(note)s, '{}', '[]', moved_at
    FROM account
    ON CONFLICT DO NOTHING
    RETURNING id, created_at
), hold AS (
    UPDATE credits_hold
    SET state = %(state)s, captured = %(captured)s, closed_by_id = entry.id, closed_at = entry.created_at
    FROM entry WHERE credits_hold.id = %(hold)s
)
SELECT owner_id, amount, net, held, entry.id FROM account LEFT JOIN entry ON true
"""

# A grant, purchase, adjustment or expiry; opens the account. `may_owe`: beyond the balance it is receivable.
POST = """
WITH account AS (
    INSERT INTO credits_account AS a (owner_id, balance, held, receivable, spent, moved_at)
    SELECT %(owner)s, GREATEST(%(amount)s, 0), 0, GREATEST(-%(amount)s, 0), 0, app_now()
    WHERE NOT EXISTS (SELECT FROM credits_entry WHERE owner_id = %(owner)s AND key = %(key)s)
        AND (%(amount)s > 0 OR %(may_owe)s OR EXISTS (SELECT FROM credits_account WHERE owner_id = %(owner)s))
    ON CONFLICT (owner_id) DO UPDATE
    SET balance = GREATEST(a.balance - a.receivable + %(amount)s, 0),
        receivable = GREATEST(a.receivable - a.balance - %(amount)s, 0),
        moved_at = GREATEST(a.moved_at, app_now())
    WHERE %(amount)s > 0 OR %(may_owe)s OR a.balance >= -%(amount)s
    RETURNING balance - receivable AS net, held, spent, moved_at
), entry AS (
    INSERT INTO credits_entry (owner_id, key, kind, amount, held_amount, balance_after, held_after, spent_after,
        note, operator_id, rate_card_ids, breakdown, created_at)
    SELECT %(owner)s, %(key)s, %(kind)s, %(amount)s, 0, net, held, spent,
        %(note)s, %(operator)s, '{}', '[]', moved_at
    FROM account
    ON CONFLICT DO NOTHING
    RETURNING id
)
SELECT entry.id FROM account LEFT JOIN entry ON true
"""

# What was refunded is another row than the account, so its cap needs the lock before the statement.
LOCK_FOR_REFUND = """
SELECT a.owner_id FROM credits_account a JOIN credits_hold h ON h.owner_id = a.owner_id
WHERE h.id = %(hold)s FOR NO KEY UPDATE OF a
"""

REFUND = """
WITH account AS (
    UPDATE credits_account a
    SET balance = GREATEST(a.balance - a.receivable + %(amount)s, 0),
        receivable = GREATEST(a.receivable - a.balance - %(amount)s, 0),
        spent = a.spent - %(amount)s, moved_at = GREATEST(a.moved_at, app_now())
    FROM credits_hold h
    WHERE h.id = %(hold)s AND a.owner_id = h.owner_id AND h.refunded + %(amount)s <= h.captured
        AND NOT EXISTS (SELECT FROM credits_entry WHERE owner_id = h.owner_id AND key = %(key)s)
    RETURNING a.owner_id, h.subject_id, a.balance - a.receivable AS net, a.held, a.spent, a.moved_at
), entry AS (
    INSERT INTO credits_entry (owner_id, key, kind, amount, held_amount, balance_after, held_after, spent_after,
        hold_id, subject_id, note, operator_id, rate_card_ids, breakdown, created_at)
    SELECT owner_id, %(key)s, 'refund', %(amount)s, 0, net, held, spent,
        %(hold)s, subject_id, %(note)s, %(operator)s, '{}', '[]', moved_at
    FROM account
    RETURNING id
), hold AS (
    UPDATE credits_hold SET refunded = refunded + %(amount)s FROM entry WHERE credits_hold.id = %(hold)s
)
SELECT id FROM entry
"""

RESTORE = """
UPDATE credits_account a
SET balance = GREATEST(coalesce(newest.balance_after, 0), 0),
    receivable = GREATEST(-coalesce(newest.balance_after, 0), 0),
    held = coalesce(newest.held_after, 0), spent = coalesce(newest.spent_after, 0)
FROM (SELECT) one LEFT JOIN (
    SELECT balance_after, held_after, spent_after FROM credits_entry
    WHERE owner_id = %(owner)s ORDER BY created_at DESC, id DESC LIMIT 1
) newest ON true
WHERE a.owner_id = %(owner)s
"""
