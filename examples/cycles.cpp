// How do counted objects that refer to each other in circles get freed, and who says which types make circles?
#include <cstdio>
#include <string>
#include <utility>
#include <vector>

#include <heapwright/rc.hpp>

namespace {

using heapwright::Rc;

struct Employee;

struct Department {
    std::string name;
    std::vector<Rc<Employee>> staff;
    void trace(auto& visit) const { visit(staff); }  // what it refers to, in one line
    static constexpr bool kHandlesStay = true;       // none is moved out: cycles larger than a pause are collected in steps
};

struct Employee {
    std::string name;
    Rc<Department> department;
    Rc<Employee> boss;
    using traced_members = heapwright::Members<&Employee::department, &Employee::boss>;  // or as a list
    static constexpr bool kHandlesStay = true;
};

}  // namespace

int main() {
    heapwright::CycleCollector collector;
    Rc<Employee> kept;
    for (int number = 0; number < 100; ++number) {
        Rc<Department> department = collector.make<Department>();
        department->name = "department " + std::to_string(number);
        Rc<Employee> boss;
        for (int seat = 0; seat < 10; ++seat) {
            Rc<Employee> employee = collector.make<Employee>();
            employee->department = department;
            employee->boss = seat == 0 ? employee : boss;  // everybody knows everybody else in the end
            boss = seat == 0 ? employee : boss;
            department->staff.push_back(std::move(employee));
        }
        kept = boss;
        static_cast<void>(collector.collect(1000));  // a pause of about 1000 nodes
    }
    static_cast<void>(collector.collect_all());
    const std::uint64_t live = collector.live_nodes();
    collector.for_each_type([](const heapwright::NodeTypeReport& type) {
        std::printf("%.*s: %llu made, %llu live, %llu were kept by cycles only\n", static_cast<int>(type.name.size()), type.name.data(),
                    static_cast<unsigned long long>(type.made), static_cast<unsigned long long>(type.live),
                    static_cast<unsigned long long>(type.collected));
    });
    kept.reset();
    static_cast<void>(collector.collect_all());
    return live == 11 && collector.live_nodes() == 0 ? 0 : 1;
}
