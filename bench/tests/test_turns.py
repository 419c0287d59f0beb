from bench.turns import Setting, in_turn


async def test_contestants_take_turns_and_every_other_round_goes_backwards():
    order = []

    def contestant(name):
        async def measure():
            order.append(name)
            return len(order)

        return measure

    measured = await in_turn({name: contestant(name) for name in "abc"}, 3, Setting())
    assert "".join(order) == "abccbaabc"
    assert measured == {"a": [1, 6, 7], "b": [2, 5, 8], "c": [3, 4, 9]}


async def test_the_round_to_warm_up_is_not_counted():
    order = []

    async def measure():
        order.append(len(order))
        return order[-1]

    assert await in_turn({"a": measure}, 2, Setting(), warm_up=True) == {"a": [1, 2]}


def test_a_long_run_measures_more_often():
    assert Setting().rounds(3, long=10) == 3
    assert Setting(long=True).rounds(3, long=10) == 10


async def test_when_the_time_is_up_three_rounds_are_enough():
    async def measure():
        return 1

    assert await in_turn({"a": measure}, 9, Setting(seconds=-1)) == {"a": [1, 1, 1]}
