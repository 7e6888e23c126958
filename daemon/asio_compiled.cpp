// Boost.Asio and Beast compiled once (BOOST_ASIO_SEPARATE_COMPILATION): as header-only libraries
// they would be compiled again in every file that includes them, a fifth of its time.
#include <boost/asio/impl/src.hpp>
#include <boost/beast/src.hpp>
