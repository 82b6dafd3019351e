with entities as (
    select
        source,
        entity,
        owner,
        is_daily,
        is_expected
    from {{ source('control', 'expected_entity') }}
),

stale as (
    select
        source,
        entity,
        'stale' as kind,
        cast(null as date) as period_on,
        newest_business_on + 1 as since_on,
        cast(null as bigint) as rows_count
    from {{ ref('mart_source_freshness') }}
    where is_stale
),

never_delivered as (
    select
        entities.source,
        entities.entity,
        'never_delivered' as kind,
        cast(null as date) as period_on,
        cast(null as date) as since_on,
        cast(null as bigint) as rows_count
    from entities
    left join {{ source('control', 'source_state') }} as state
        on entities.source = state.source and entities.entity = state.entity
    where entities.is_expected and state.source is null
),

delivered_days as (
    select
        batch.source,
        batch.entity,
        batch.business_on
    from {{ source('control', 'admitted_batch') }} as batch
    inner join entities on batch.source = entities.source and batch.entity = entities.entity
    where entities.is_daily
    group by all
),

spans as (
    select
        source,
        entity,
        -- The checks look back as far: what is older is history, not news.
        greatest(min(business_on), max(business_on) - 31) as first_on,
        max(business_on) as last_on
    from delivered_days
    group by all
),

due_days as (
    select
        source,
        entity,
        cast(unnest(generate_series(first_on, last_on, interval 1 day)) as date) as business_on
    from spans
),

missing_days as (
    select
        due_days.source,
        due_days.entity,
        'missing_day' as kind,
        due_days.business_on as period_on,
        due_days.business_on as since_on,
        cast(null as bigint) as rows_count
    from due_days
    left join delivered_days
        on
            due_days.source = delivered_days.source
            and due_days.entity = delivered_days.entity
            and due_days.business_on = delivered_days.business_on
    where delivered_days.business_on is null
),

deliveries as (
    select
        source,
        entity,
        step,
        verdict,
        started_at
    from {{ source('control', 'outcome') }}
    where step in ('extract', 'load_raw', 'admit') and source is not null and entity is not null
),

failed_step as (
    select distinct
        source,
        entity,
        step
    from deliveries
    where verdict = 'failed'
),

-- A step that worked since, or a source that has nothing new, ends a failure.
last_good as (
    select
        failed_step.source,
        failed_step.entity,
        failed_step.step,
        max(good.started_at) as good_at
    from failed_step
    left join deliveries as good
        on
            failed_step.source = good.source
            and failed_step.entity = good.entity
            and (
                (failed_step.step = good.step and good.verdict <> 'failed')
                or (good.step = 'extract' and good.verdict = 'unchanged')
            )
    group by failed_step.source, failed_step.entity, failed_step.step
),

failing as (
    select
        deliveries.source,
        deliveries.entity,
        'delivery_failed' as kind,
        cast(null as date) as period_on,
        cast(min(deliveries.started_at) as date) as since_on,
        cast(null as bigint) as rows_count
    from deliveries
    inner join last_good
        on
            deliveries.source = last_good.source
            and deliveries.entity = last_good.entity
            and deliveries.step = last_good.step
    where
        deliveries.verdict = 'failed'
        and (last_good.good_at is null or deliveries.started_at > last_good.good_at)
    group by deliveries.source, deliveries.entity
),

held_rows as (
    select
        held.source,
        held.entity,
        'rows_quarantined' as kind,
        batch.business_on as period_on,
        batch.business_on as since_on,
        count(distinct concat_ws('#', held.file_id, held.row_number)) as rows_count
    from {{ source('quarantine', 'row') }} as held
    inner join {{ source('control', 'admitted_batch') }} as batch on held.batch_id = batch.batch_id
    group by all
),

parts as (
    select
        source,
        entity,
        kind,
        period_on,
        since_on,
        rows_count
    from stale
    union all
    select
        source,
        entity,
        kind,
        period_on,
        since_on,
        rows_count
    from never_delivered
    union all
    select
        source,
        entity,
        kind,
        period_on,
        since_on,
        rows_count
    from missing_days
    union all
    select
        source,
        entity,
        kind,
        period_on,
        since_on,
        rows_count
    from failing
    union all
    select
        source,
        entity,
        kind,
        period_on,
        since_on,
        rows_count
    from held_rows
),

words as (
    select
        unnest([
            {
                'kind': 'stale',
                'reason_zh': '数据超过来源目录规定的最大时滞',
                'reason_en': 'its newest data is older than the source catalogue allows',
                'remedy_zh': '请来源方补报缺少的数据；在此之前按缺失处理',
                'remedy_en': 'the source delivers what is missing; until then it counts as missing'
            },
            {
                'kind': 'never_delivered',
                'reason_zh': '从未交付',
                'reason_en': 'nothing was ever delivered',
                'remedy_zh': '运行 oneledger doctor 检查连接',
                'remedy_en': 'check the connection with `oneledger doctor`'
            },
            {
                'kind': 'missing_day',
                'reason_zh': '每日文件缺此日',
                'reason_en': 'the daily delivery of this day is missing',
                'remedy_zh': '请来源方补报该日文件',
                'remedy_en': 'the source delivers the file of this day'
            },
            {
                'kind': 'delivery_failed',
                'reason_zh': '最近一次读取或准入失败',
                'reason_en': 'it could not be read or admitted the last time',
                'remedy_zh': '运行 oneledger status 查看原因与处理办法',
                'remedy_en': 'see cause and remedy with `oneledger status`'
            },
            {
                'kind': 'rows_quarantined',
                'reason_zh': '部分行被隔离，未计入',
                'reason_en': 'rows were quarantined and do not count',
                'remedy_zh': '运行 oneledger quarantine show 查看每行原因，由来源方更正后重新报送',
                'remedy_en': 'see each row with `oneledger quarantine show`; the source corrects and delivers again'
            }
        ], recursive := true)
)

select
    parts.source,
    parts.entity,
    parts.kind,
    parts.period_on,
    parts.since_on,
    parts.rows_count,
    words.reason_zh,
    words.reason_en,
    words.remedy_zh,
    words.remedy_en,
    coalesce(nullif(entities.owner, ''), '市大数据局数据仓库运维') as owner
from parts
inner join words on parts.kind = words.kind
left join entities on parts.source = entities.source and parts.entity = entities.entity
