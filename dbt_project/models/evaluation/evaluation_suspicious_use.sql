-- A flag warns and a person decides: nothing here changes points.
with scope as (
    select
        population.run_id,
        population.period,
        population.app_id,
        population.app_name,
        population.department_id,
        population.is_in_scope,
        round.period_start_on,
        round.cut_off_on
    from {{ ref('evaluation_population') }} as population
    inner join {{ ref('evaluation_round') }} as round on population.run_id = round.round_id
),

round as (
    select distinct
        run_id,
        period_start_on,
        cut_off_on
    from scope
),

rule as (
    select
        round.run_id,
        any_value(round.cut_off_on) as cut_off_on,
        max(limits.value) filter (where limits.rule_id = 'spike_window_days') as spike_window_days,
        max(limits.value) filter (where limits.rule_id = 'spike_minimum_days_before') as spike_minimum_days_before,
        max(limits.value) filter (where limits.rule_id = 'spike_minimum_visitors_a_day')
            as spike_minimum_visitors_a_day,
        max(limits.value) filter (where limits.rule_id = 'spike_times') as spike_times,
        max(limits.value) filter (where limits.rule_id = 'same_value_minimum_days') as same_value_minimum_days,
        max(limits.value) filter (where limits.rule_id = 'same_value_minimum_visitors') as same_value_minimum_visitors,
        max(limits.value) filter (where limits.rule_id = 'night_share') as night_share,
        max(limits.value) filter (where limits.rule_id = 'one_end_share') as one_end_share,
        max(limits.value) filter (where limits.rule_id = 'one_end_minimum_days') as one_end_minimum_days,
        max(limits.value) filter (where limits.rule_id = 'starts_rate') as starts_rate,
        max(limits.value) filter (where limits.rule_id = 'minimum_visitors') as minimum_visitors,
        max(limits.rule_version) as rule_version
    from round
    inner join {{ ref('suspicion_threshold') }} as limits
        on
            round.cut_off_on >= limits.effective_from
            and round.cut_off_on <= coalesce(limits.effective_to, date '9999-12-31')
    group by round.run_id
),

-- Joining on the day itself lets DuckDB skip every block of the daily facts outside the rounds.
day_of_round as (
    select
        run_id,
        cast(unnest(generate_series(period_start_on, cut_off_on, interval 1 day)) as date) as usage_on
    from round
),

round_day as (
    select
        day_of_round.run_id,
        day_of_round.usage_on,
        day_of_round.usage_on > rule.cut_off_on - cast(rule.spike_window_days as integer) as is_late
    from day_of_round
    inner join rule on day_of_round.run_id = rule.run_id
),

-- The own APP is no portal: the evaluation does not count it. Days are bits of a month, so that a province's quarter of
-- days meets in a few rows for each app.
end_month as (
    select
        round_day.run_id,
        usage.app_id,
        usage.release_end,
        {{ month_of('usage.usage_on') }} as month,
        round_day.is_late,
        bit_or(cast(1 as bigint) << (day(usage.usage_on) - 1)) as days_mask,
        min(usage.usage_on) as first_on,
        max(usage.usage_on) as last_on,
        sum(usage.visitors_count) as visitors_count,
        sum(usage.night_visitors_count) as night_visitors_count,
        sum(usage.visitors_count) filter (where usage.night_visitors_count is not null) as visitors_beside_night_count,
        sum(usage.starts_count) as starts_count,
        sum(usage.visitors_count) filter (where usage.starts_count is not null) as visitors_beside_starts_count
    from round_day
    inner join {{ ref('fct_app_usage_day') }} as usage on round_day.usage_on = usage.usage_on
    where
        usage.module_id = ''
        and usage.release_end <> 'standalone_app'
        and usage.visitors_count is not null
    group by round_day.run_id, usage.app_id, usage.release_end, {{ month_of('usage.usage_on') }}, round_day.is_late
),

app_month as (
    select
        run_id,
        app_id,
        month,
        is_late,
        cast(bit_count(bit_or(days_mask)) as bigint) as days_count,
        min(first_on) as first_on,
        max(last_on) as last_on,
        sum(visitors_count) as visitors_count,
        sum(night_visitors_count) as night_visitors_count,
        sum(visitors_beside_night_count) as visitors_beside_night_count,
        sum(starts_count) as starts_count,
        sum(visitors_beside_starts_count) as visitors_beside_starts_count
    from end_month
    group by run_id, app_id, month, is_late
),

summed as (
    select
        run_id,
        app_id,
        min(first_on) as first_on,
        max(last_on) as last_on,
        cast(sum(days_count) as bigint) as days_count,
        sum(visitors_count) as visitors_count,
        sum(night_visitors_count) as night_visitors_count,
        sum(visitors_beside_night_count) as visitors_beside_night_count,
        sum(starts_count) as starts_count,
        sum(visitors_beside_starts_count) as visitors_beside_starts_count
    from app_month
    group by run_id, app_id
),

-- The last days before the cut-off against the app's own days before them.
before_and_after as (
    select
        run_id,
        app_id,
        cast(sum(visitors_count) filter (where is_late) as double) / sum(days_count) filter (where is_late) as late_mean,
        cast(sum(visitors_count) filter (where not is_late) as double)
        / sum(days_count) filter (where not is_late) as early_mean,
        cast(sum(days_count) filter (where is_late) as bigint) as late_days_count,
        cast(sum(days_count) filter (where not is_late) as bigint) as early_days_count,
        min(first_on) filter (where is_late) as late_from_on,
        max(last_on) as late_to_on,
        sum(visitors_count) filter (where is_late) as late_visitors_count
    from app_month
    group by run_id, app_id
),

app_day as (
    select
        round_day.run_id,
        usage.app_id,
        usage.usage_on,
        sum(usage.visitors_count) as visitors_count
    from round_day
    inner join {{ ref('fct_app_usage_day') }} as usage on round_day.usage_on = usage.usage_on
    where
        usage.module_id = ''
        and usage.release_end <> 'standalone_app'
        and usage.visitors_count is not null
    group by round_day.run_id, usage.app_id, usage.usage_on
),

-- Only an app that has a value often enough can have it day after day.
repeating_app as (
    select distinct
        repeated.run_id,
        repeated.app_id
    from (
        select
            run_id,
            app_id,
            visitors_count,
            count(*) as days_count
        from app_day
        group by run_id, app_id, visitors_count
    ) as repeated
    inner join rule on repeated.run_id = rule.run_id
    where
        repeated.visitors_count >= rule.same_value_minimum_visitors
        and repeated.days_count >= rule.same_value_minimum_days
),

-- Days of a run of equal values differ from their rank among the equal values by the same number.
numbered as (
    select
        app_day.run_id,
        app_day.app_id,
        app_day.usage_on,
        app_day.visitors_count,
        row_number() over (partition by app_day.run_id, app_day.app_id order by app_day.usage_on)
        - row_number() over (
            partition by app_day.run_id, app_day.app_id, app_day.visitors_count order by app_day.usage_on
        ) as stretch_number
    from app_day
    inner join repeating_app on app_day.run_id = repeating_app.run_id and app_day.app_id = repeating_app.app_id
),

stretch as (
    select
        run_id,
        app_id,
        visitors_count,
        count(*) as days_count,
        min(usage_on) as from_on,
        max(usage_on) as to_on
    from numbered
    group by run_id, app_id, visitors_count, stretch_number
),

longest_stretch as (
    select
        stretch.run_id,
        stretch.app_id,
        stretch.visitors_count,
        stretch.days_count,
        stretch.from_on,
        stretch.to_on
    from stretch
    inner join rule on stretch.run_id = rule.run_id
    where stretch.visitors_count >= rule.same_value_minimum_visitors
    qualify
        row_number() over (
            partition by stretch.run_id, stretch.app_id order by stretch.days_count desc, stretch.from_on
        ) = 1
),

end_total as (
    select
        run_id,
        app_id,
        release_end,
        cast(sum(bit_count(days_mask)) as bigint) as days_count,
        sum(visitors_count) as visitors_count
    from end_month
    group by run_id, app_id, release_end
),

end_share as (
    select
        end_total.run_id,
        end_total.app_id,
        count(*) as ends_count,
        sum(end_total.visitors_count) as visitors_count,
        max(end_total.visitors_count) as most_visitors_count,
        arg_max(end_total.release_end, end_total.visitors_count) as release_end
    from end_total
    inner join rule on end_total.run_id = rule.run_id
    where end_total.days_count >= rule.one_end_minimum_days
    group by end_total.run_id, end_total.app_id
),

-- Where nothing can be started, no start says nothing.
app_with_matter as (
    select distinct app_id
    from {{ ref('dim_module') }}
    where module_kind = 'matter' and is_registered
),

found as (
    select
        before_and_after.run_id,
        before_and_after.app_id,
        'spike_before_cut_off' as kind,
        before_and_after.late_mean / nullif(before_and_after.early_mean, 0) as measured_value,
        rule.spike_times as threshold_value,
        before_and_after.late_mean as visitors_a_day,
        before_and_after.early_mean as visitors_a_day_before,
        before_and_after.late_visitors_count as visitors_count,
        before_and_after.late_days_count as days_count,
        before_and_after.late_from_on as from_on,
        before_and_after.late_to_on as to_on,
        cast(null as varchar) as release_end,
        '截止日前' || before_and_after.late_days_count || '天日均访客' || round(before_and_after.late_mean, 1)
        || '，此前' || before_and_after.early_days_count || '天日均' || round(before_and_after.early_mean, 1)
        || '，达到' || rule.spike_times || '倍的界限' as sentence_zh,
        'on the last ' || before_and_after.late_days_count || ' days before the cut-off '
        || round(before_and_after.late_mean, 1) || ' visitors a day, on the ' || before_and_after.early_days_count
        || ' days before ' || round(before_and_after.early_mean, 1) || '; the limit is ' || rule.spike_times
        || ' times' as sentence_en
    from before_and_after
    inner join rule on before_and_after.run_id = rule.run_id
    where
        before_and_after.early_days_count >= rule.spike_minimum_days_before
        and before_and_after.late_mean >= rule.spike_minimum_visitors_a_day
        and before_and_after.late_mean >= rule.spike_times * before_and_after.early_mean
    union all
    select
        longest_stretch.run_id,
        longest_stretch.app_id,
        'same_value_day_after_day',
        cast(longest_stretch.days_count as double),
        rule.same_value_minimum_days,
        longest_stretch.visitors_count,
        null,
        longest_stretch.visitors_count * longest_stretch.days_count,
        longest_stretch.days_count,
        longest_stretch.from_on,
        longest_stretch.to_on,
        null,
        longest_stretch.from_on || '至' || longest_stretch.to_on || '连续' || longest_stretch.days_count
        || '个数据日访客数均为' || longest_stretch.visitors_count || '，界限为' || cast(rule.same_value_minimum_days as bigint)
        || '天',
        'from ' || longest_stretch.from_on || ' to ' || longest_stretch.to_on || ' each of '
        || longest_stretch.days_count || ' reported days has ' || longest_stretch.visitors_count
        || ' visitors; the limit is ' || cast(rule.same_value_minimum_days as bigint) || ' days'
    from longest_stretch
    inner join rule on longest_stretch.run_id = rule.run_id
    where longest_stretch.days_count >= rule.same_value_minimum_days
    union all
    select
        summed.run_id,
        summed.app_id,
        'night_visits',
        summed.night_visitors_count / cast(summed.visitors_beside_night_count as double),
        rule.night_share,
        summed.visitors_count / cast(summed.days_count as double),
        null,
        summed.visitors_beside_night_count,
        summed.days_count,
        summed.first_on,
        summed.last_on,
        null,
        summed.visitors_beside_night_count || '人次中' || summed.night_visitors_count || '人次在22:00至06:00之间，占'
        || round(100.0 * summed.night_visitors_count / summed.visitors_beside_night_count, 1) || '%，界限为'
        || round(100 * rule.night_share, 1) || '%',
        summed.night_visitors_count || ' of ' || summed.visitors_beside_night_count
        || ' visitors came between 22:00 and 06:00, '
        || round(100.0 * summed.night_visitors_count / summed.visitors_beside_night_count, 1) || ' %; the limit is '
        || round(100 * rule.night_share, 1) || ' %'
    from summed
    inner join rule on summed.run_id = rule.run_id
    where
        summed.visitors_beside_night_count >= rule.minimum_visitors
        and summed.night_visitors_count >= rule.night_share * summed.visitors_beside_night_count
    union all
    select
        end_share.run_id,
        end_share.app_id,
        'one_end_only',
        end_share.most_visitors_count / cast(end_share.visitors_count as double),
        rule.one_end_share,
        summed.visitors_count / cast(summed.days_count as double),
        null,
        end_share.visitors_count,
        summed.days_count,
        summed.first_on,
        summed.last_on,
        end_share.release_end,
        '在' || end_share.ends_count || '个发布端上架，' || end_share.visitors_count || '人次中'
        || end_share.most_visitors_count || '人次来自' || end_share.release_end || '，占'
        || round(100.0 * end_share.most_visitors_count / end_share.visitors_count, 1) || '%，界限为'
        || round(100 * rule.one_end_share, 1) || '%',
        'listed on ' || end_share.ends_count || ' ends; ' || end_share.most_visitors_count || ' of '
        || end_share.visitors_count || ' visitors came through ' || end_share.release_end || ', '
        || round(100.0 * end_share.most_visitors_count / end_share.visitors_count, 1) || ' %; the limit is '
        || round(100 * rule.one_end_share, 1) || ' %'
    from end_share
    inner join rule on end_share.run_id = rule.run_id
    inner join summed on end_share.run_id = summed.run_id and end_share.app_id = summed.app_id
    where
        end_share.ends_count >= 2
        and end_share.visitors_count >= rule.minimum_visitors
        and end_share.most_visitors_count >= rule.one_end_share * end_share.visitors_count
    union all
    select
        summed.run_id,
        summed.app_id,
        'visits_without_starts',
        summed.starts_count / cast(summed.visitors_beside_starts_count as double),
        rule.starts_rate,
        summed.visitors_count / cast(summed.days_count as double),
        null,
        summed.visitors_beside_starts_count,
        summed.days_count,
        summed.first_on,
        summed.last_on,
        null,
        summed.visitors_beside_starts_count || '人次访问只发起' || summed.starts_count || '件，占'
        || round(100.0 * summed.starts_count / summed.visitors_beside_starts_count, 2) || '%，界限为'
        || round(100 * rule.starts_rate, 1) || '%',
        summed.visitors_beside_starts_count || ' visitors started ' || summed.starts_count || ' transactions, '
        || round(100.0 * summed.starts_count / summed.visitors_beside_starts_count, 2) || ' %; the limit is '
        || round(100 * rule.starts_rate, 1) || ' %'
    from summed
    inner join rule on summed.run_id = rule.run_id
    inner join app_with_matter on summed.app_id = app_with_matter.app_id
    where
        summed.visitors_beside_starts_count >= rule.minimum_visitors
        and summed.starts_count <= rule.starts_rate * summed.visitors_beside_starts_count
)

select
    found.run_id,
    scope.period,
    found.app_id,
    found.kind,
    scope.app_name,
    scope.department_id,
    scope.is_in_scope,
    cast(found.measured_value as double) as measured_value,
    {{ state_of('found.measured_value', "'not_applicable'") }} as measured_state,
    found.threshold_value,
    cast(found.visitors_a_day as double) as visitors_a_day,
    cast(found.visitors_a_day_before as double) as visitors_a_day_before,
    cast(found.visitors_count as bigint) as visitors_count,
    found.days_count,
    found.from_on,
    found.to_on,
    found.release_end,
    found.sentence_zh,
    found.sentence_en,
    rule.rule_version
from found
inner join scope on found.run_id = scope.run_id and found.app_id = scope.app_id
inner join rule on found.run_id = rule.run_id
