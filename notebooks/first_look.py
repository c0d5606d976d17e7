"""A first look at the warehouse, from its experiments to two figures and a table.

With the project's environment, after `make build`:

    .venv/bin/marimo edit notebooks/first_look.py
    .venv/bin/python notebooks/first_look.py

The first opens it in a browser, the second runs all of it.
"""

import marimo

__generated_with = "0.25.2"
app = marimo.App(width="medium")


@app.cell
def _():
    import marimo as mo

    from pidgin_analytics import Warehouse
    from pidgin_analytics.figures import figure

    # The file of PIDGIN_WAREHOUSE, or the default; only read, so builds may go on.
    warehouse = Warehouse()
    return figure, mo, warehouse


@app.cell
def _(mo):
    mo.md(
        """
        # A first look

        Experiments first. `per_turn` is the mean of each conversation's own slope:
        above 0 the two agents become more similar while they talk.
        """
    )


@app.cell
def _(mo, warehouse):
    experiments = warehouse.pandas(
        """
        select
            name,
            array_to_string(models, ' + ') as models,
            conversations,
            spoken_turns as turns,
            round(avg_convergence_balanced, 2) as similarity,
            round(convergence_trend_within_balanced, 3) as per_turn,
            round(cost_usd, 4) as usd
        from experiment_dashboard
        order by created_at, experiment_id
        """
    )
    mo.ui.table(experiments, selection=None)
    return (experiments,)


@app.cell
def _(mo):
    mo.md(
        """
        ## Do they become more similar?

        The conversation is the unit: the band is an interval over conversations, and
        the bars below say how many conversations reach each turn.
        """
    )


@app.cell
def _(figure, mo, warehouse):
    convergence = figure(warehouse, "convergence")
    mo.Html(convergence._repr_html_())
    return (convergence,)


@app.cell
def _(mo):
    mo.md(
        """
        ## From the start to the end

        Later turns in the figure above come only from the conversations that went on.
        Here each conversation is compared with itself.
        """
    )


@app.cell
def _(figure, mo, warehouse):
    start_and_end = figure(warehouse, "start-and-end")
    mo.Html(start_and_end._repr_html_())
    return (start_and_end,)


@app.cell
def _(mo):
    mo.md(
        """
        ## Which pairs of models end up most similar?

        One value for each conversation. A figure's `.data` is the data frame behind it.
        You can run any query of `docs/questions.md` here in the same way.
        """
    )


@app.cell
def _(mo, warehouse):
    pairs = warehouse.pandas(
        """
        select
            model_pair,
            count(*) as conversations,
            round(avg(mean_convergence_balanced), 2) as mean_score,
            round(avg(final_convergence_balanced), 2) as final_score,
            round(stddev_samp(final_convergence_balanced), 2) as spread
        from analysis.conversations
        where final_convergence_balanced is not null
        group by model_pair
        order by final_score desc, model_pair
        """
    )
    mo.ui.table(pairs, selection=None)
    return (pairs,)


if __name__ == "__main__":
    app.run()
